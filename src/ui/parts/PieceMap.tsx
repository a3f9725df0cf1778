/** Every piece of a set as a small square: here, to be had from how many, or with nobody. The words below say the same. */
import { createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import type { LibraryItem } from '../../bridge/api.ts'
import { count, percent, plural } from '../format.ts'
import { isWhole } from '../libraryWords.ts'
import { cellsOf, spreadOf, type Shade } from '../torrents.ts'
import { Segments } from './fields.tsx'

/** Squares in a row, by how many there are, and at most in all: more could not be told apart on a phone. */
const COLUMNS = 48
const COLUMNS_OF_FEW = 24
const FEW = 144
const CELLS_MAX = COLUMNS * 16
/** Side of a square with its gap, in units of the picture. */
const STEP = 10

const ABOUT = [{ value: 'here', label: 'In this tab' }, { value: 'others', label: 'With others' }] as const
type About = typeof ABOUT[number]['value']

const LEGEND: ReadonlyArray<readonly [Shade, string]> = [
  ['here', 'here'], ['part', 'partly here'], ['many', 'with four or more'], ['few', 'with two or three'], ['one', 'with one peer'], ['nobody', 'with nobody linked']
]

/** One path for all squares of a shade: a set of thousands of pieces is six elements. */
function pathOf (cells: readonly Shade[], shade: Shade, columns: number): string {
  let path = ''
  for (const [i, cell] of cells.entries()) {
    if (cell !== shade) continue
    const x = i % columns * STEP + 1
    const y = Math.floor(i / columns) * STEP + 1
    // What nobody has is a cross, so that it is told apart without colours too.
    path += shade === 'nobody' ? `M${x + 1} ${y + 1}l6 6m0-6l-6 6` : `M${x} ${y}h8v8h-8z`
  }
  return path
}

export function PieceMap (props: { item: LibraryItem }): JSX.Element {
  const [chosen, setChosen] = createSignal<About>()
  const spread = createMemo(() => spreadOf(props.item))
  // Of a whole set one asks whether others have it too, once there are others.
  const about = (): About => chosen() ?? (isWhole(props.item) && props.item.state !== 'paused' && (spread()?.reachable ?? 0) > 0 ? 'others' : 'here')
  const cells = createMemo(() => cellsOf(props.item, CELLS_MAX, about()))
  const each = (): number => Math.ceil(props.item.pieces / CELLS_MAX)
  const columns = (): number => cells().length <= FEW ? COLUMNS_OF_FEW : COLUMNS
  const rows = (): number => Math.ceil(cells().length / columns())
  const words = (): string => {
    const s = spread()
    if (s === undefined) return ''
    const lost = s.lost === 0 ? '' : `; ${count(s.lost)} ${s.lost === 1 ? 'is' : 'are'} neither here nor with anybody linked`
    return `${count(s.here)} of ${plural(props.item.pieces, 'piece')} here (${percent(s.here / props.item.pieces)}), ${count(s.reachable)} with somebody linked${lost}.${s.most === 0 ? '' : ` The rarest is with ${plural(s.copies, 'peer')}, the commonest with ${count(s.most)}.`}`
  }
  return (
    <div class="piecemap" data-testid="piece-map">
      <div class="row piecemap-head">
        <Segments label="Whose pieces" options={ABOUT} value={about()} onChange={setChosen} testid="piece-map-about" />
        <Show when={each() > 1}><span class="quiet">one square is {count(each())} pieces</span></Show>
      </div>
      <svg viewBox={`0 0 ${columns() * STEP} ${Math.max(1, rows()) * STEP}`} role="img" aria-label={words()}>
        <For each={LEGEND}>{([shade]) => <path class={`piece piece-${shade}`} d={pathOf(cells(), shade, columns())} />}</For>
      </svg>
      <ul class="legend piecemap-legend">
        <For each={LEGEND.filter(([shade]) => cells().includes(shade))}>{([shade, name]) => <li><svg viewBox="0 0 10 10" width="12" height="12" aria-hidden="true"><path class={`piece piece-${shade}`} d={pathOf([shade], shade, 1)} /></svg>{name}</li>}</For>
      </ul>
      <p class="quiet" data-testid="piece-words">{words()}</p>
    </div>
  )
}

/** True class by row, answer by column; shade is the share of its row. */
import { For, type JSX } from 'solid-js'
import { count, percent } from '../format.ts'

export function Confusion (props: { classes: number, counts: ArrayLike<number>, names: readonly string[] }): JSX.Element {
  const ids = (): number[] => Array.from({ length: props.classes }, (_, i) => i)
  const at = (row: number, column: number): number => props.counts[row * props.classes + column] ?? 0
  const total = (row: number): number => ids().reduce((sum, c) => sum + at(row, c), 0)
  const name = (i: number): string => props.names[i] ?? String(i)
  return (
    <div class="confusion-scroll" tabIndex={0} role="region" aria-label="Confusion matrix">
      <table class="confusion" data-testid="confusion">
        <caption>Rows: the true class. Columns: what the model answered.</caption>
        <thead><tr><th scope="col"><span class="visually-hidden">True class</span></th><For each={ids()}>{c => <th scope="col">{name(c)}</th>}</For><th scope="col">right</th></tr></thead>
        <tbody>
          <For each={ids()}>{r => (
            <tr>
              <th scope="row">{name(r)}</th>
              <For each={ids()}>{c => <td class={r === c ? 'right' : 'wrong'} style={{ '--share': total(r) === 0 ? 0 : at(r, c) / total(r) }}>{at(r, c) === 0 ? '·' : count(at(r, c))}</td>}</For>
              <td class="total">{total(r) === 0 ? '–' : percent(at(r, r) / total(r), 0)}</td>
            </tr>
          )}</For>
        </tbody>
      </table>
    </div>
  )
}

/** Accuracy and loss on the held-out records, by round or by time. */
import { createMemo, createSignal, Show, type JSX } from 'solid-js'
import type uPlot from 'uplot'
import type { CurvePoint } from '../../bridge/api.ts'
import { clock, count, percent, plural } from '../format.ts'
import { Empty, Skeleton } from './basics.tsx'
import { Segments } from './fields.tsx'
import { Plot, type PlotProps } from './Plot.tsx'

const AXES = [{ value: 'round', label: 'Rounds' }, { value: 'time', label: 'Time' }] as const
type XAxis = typeof AXES[number]['value']

const MARGIN = { top: 12, bottom: 4 }

export function CurveChart (props: { points: readonly CurvePoint[] | undefined, height?: number, name: string }): JSX.Element {
  const [x, setX] = createSignal<XAxis>('round')
  const [hovered, setHovered] = createSignal<number>()
  const points = (): readonly CurvePoint[] => props.points ?? []
  const rows = createMemo(() => curveRows(points(), x()))
  const shown = createMemo(() => hovered() === undefined ? points().at(-1) : rows()[hovered()!]?.point)
  const gaps = (): readonly string[] => points().flatMap((p, i) => p.gap === true && i > 0 ? [`${count(points()[i - 1]!.round)} and ${count(p.round)}`] : [])
  /** The newest of them only: whoever comes and goes leaves many. */
  const gapWords = (): string => gaps().length === 0 ? '' : `Between rounds ${gaps().at(-1)} this tab has measured nothing${gaps().length > 1 ? `, nor in ${plural(gaps().length - 1, 'earlier gap')}` : ''}; round 0 is the model before training.`
  const summary = (): string => {
    const first = points()[0]
    const last = points().at(-1)
    return first === undefined || last === undefined ? `No measurement of ${props.name} yet` : `${props.name}: accuracy went from ${percent(first.accuracy)} in round ${first.round} to ${percent(last.accuracy)} in round ${last.round}, loss from ${first.loss.toFixed(2)} to ${last.loss.toFixed(2)}. ${gapWords()}`.trim()
  }
  const where = (): string => { const p = shown(); return p === undefined ? '' : `round ${count(p.round)} · ${clock(p.timeMs)} · on ${plural(p.samples, 'held-out record')}` }
  return (
    <div class="chart" data-testid="loss-chart" data-points={points().length}>
      <div class="chart-head">
        <div class="chart-values">
          <div class="chart-value"><span class="swatch swatch-accuracy" />Accuracy <strong data-testid="accuracy" data-value={shown()?.accuracy}>{percent(shown()?.accuracy)}</strong></div>
          <div class="chart-value"><span class="swatch swatch-loss" />Loss <strong data-testid="loss">{shown()?.loss.toFixed(3) ?? '–'}</strong></div>
        </div>
      </div>
      <Show when={props.points !== undefined} fallback={<Skeleton lines={4} />}>
        <Show when={points().length > 0} fallback={<Empty icon="train" title="No measurement yet">The first point appears as soon as this tab has measured the model on records that are not used for training.</Empty>}>
          <div class="chart-picture" role="img" aria-label={summary()}>
            <CurvePlot rows={rows()} x={x()} height={props.height ?? 240} onHover={setHovered} />
          </div>
          <Show when={gapWords()}>{words => <p class="quiet" data-testid="chart-gap">{words()}</p>}</Show>
        </Show>
      </Show>
      <div class="chart-foot">
        <span class="chart-where">{where()}</span>
        <Segments label="Horizontal axis" options={AXES} value={x()} onChange={setX} />
      </div>
    </div>
  )
}

function xOf (p: CurvePoint, axis: XAxis): number {
  return axis === 'round' ? p.round : p.timeMs / 1000
}

/** A place on the axis; without a point the line breaks there. */
export interface CurveRow { readonly x: number, readonly point?: CurvePoint }

/** What is drawn, from left to right: over what is not known goes no line. */
export function curveRows (points: readonly CurvePoint[], axis: XAxis): CurveRow[] {
  // The untrained model of a tab that came later was measured when it came, not when training began.
  const drawn = axis === 'time' && points[0]?.round === 0 && points[1]?.gap === true ? points.slice(1) : points
  const rows: CurveRow[] = []
  for (const point of [...drawn].sort((a, b) => xOf(a, axis) - xOf(b, axis))) {
    const x = xOf(point, axis)
    const before = rows.at(-1)?.x
    if (point.gap === true && before !== undefined) rows.push({ x: (before + x) / 2 })
    rows.push({ x, point })
  }
  return rows
}

/** Points with nothing beside them: no line goes through them, so they are drawn themselves. */
const alone = (rows: readonly CurveRow[]): number[] =>
  rows.flatMap(({ point }, i) => point !== undefined && rows[i - 1]?.point === undefined && rows[i + 1]?.point === undefined ? [i] : [])

/** Accuracy to the left, loss to the right. */
function CurvePlot (props: { rows: readonly CurveRow[], x: XAxis, height: number, onHover: (i: number | undefined) => void }): JSX.Element {
  const of = (value: (p: CurvePoint) => number) => (r: CurveRow): number | null => r.point === undefined ? null : value(r.point)
  const data = (): uPlot.AlignedData => [props.rows.map(r => r.x), props.rows.map(of(p => p.accuracy * 100)), props.rows.map(of(p => p.loss))]
  const points = (): uPlot.Series.Points => ({ show: false, filter: () => alone(props.rows) })
  const options: PlotProps['options'] = (colour, axis) => ({
    padding: [MARGIN.top, 0, MARGIN.bottom, 0],
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: props.x === 'time' },
      pc: { range: (_u, lo, hi) => [Math.max(0, Math.floor((lo - 2) / 10) * 10), Math.min(100, Math.max(20, Math.ceil((hi + 1) / 10) * 10))] },
      loss: { range: (_u, _lo, hi) => [0, hi * 1.1 + 0.01] }
    },
    series: [
      {},
      { scale: 'pc', stroke: colour('--series-accuracy'), fill: colour('--series-accuracy-soft'), width: 2, points: points() },
      { scale: 'loss', stroke: colour('--series-loss'), width: 1.5, dash: [5, 3], points: points() }
    ],
    axes: [
      { ...axis, size: 30, grid: { show: false }, values: props.x === 'time' ? undefined : (_u, ticks) => ticks.map(t => Number.isInteger(t) ? count(t) : '') },
      { ...axis, scale: 'pc', size: 46, values: (_u, ticks) => ticks.map(t => `${t} %`) },
      { ...axis, scale: 'loss', side: 1, size: 42, grid: { show: false }, values: (_u, ticks) => ticks.map(t => String(Number(t.toFixed(2)))) }
    ]
  })
  return <Plot data={data()} options={options} remake={props.x} height={props.height} onHover={props.onHover} />
}

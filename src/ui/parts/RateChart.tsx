/** What came in and went out in the last minutes, in bytes per second. */
import { createMemo, createSignal, Show, type JSX } from 'solid-js'
import type uPlot from 'uplot'
import { clock, duration, rate, si } from '../format.ts'
import type { RatePoint } from '../library.ts'
import { Plot, type PlotProps } from './Plot.tsx'

/** So that noise of a few bytes does not fill the height: bytes per second. */
const TOP_MIN = 10_000

export function RateChart (props: { points: readonly RatePoint[], name: string, height?: number }): JSX.Element {
  const [hovered, setHovered] = createSignal<number>()
  const shown = createMemo(() => props.points[hovered() ?? props.points.length - 1])
  const span = (): number => (props.points.at(-1)?.timeMs ?? 0) - (props.points[0]?.timeMs ?? 0)
  const summary = (): string => {
    const last = props.points.at(-1)
    if (last === undefined) return `No measurement of ${props.name} yet`
    const peak = (of: (p: RatePoint) => number): string => rate(Math.max(...props.points.map(of)))
    return `${props.name}, last ${duration(span())}: receiving ${rate(last.down)}, at most ${peak(p => p.down)}; sending ${rate(last.up)}, at most ${peak(p => p.up)}`
  }
  const data = (): uPlot.AlignedData => [props.points.map(p => p.timeMs / 1000), props.points.map(p => p.down), props.points.map(p => p.up)]
  const options: PlotProps['options'] = (colour, axis) => ({
    padding: [12, 24, 4, 0],
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, rate: { range: (_u, _lo, hi) => [0, Math.max(TOP_MIN, hi * 1.1)] } },
    series: [
      {},
      { scale: 'rate', stroke: colour('--series-accuracy'), fill: colour('--series-accuracy-soft'), width: 2, points: { show: false } },
      { scale: 'rate', stroke: colour('--series-loss'), width: 1.5, dash: [5, 3], points: { show: false } }
    ],
    axes: [
      { ...axis, size: 30, grid: { show: false }, values: (_u, ticks) => ticks.map(t => clock(t * 1000)), space: 80 },
      { ...axis, scale: 'rate', size: 74, values: (_u, ticks) => ticks.map(t => `${si(t)}B/s`) }
    ]
  })
  return (
    <div class="chart" data-testid="rate-chart" data-points={props.points.length}>
      <div class="chart-head">
        <div class="chart-values">
          <div class="chart-value"><span class="swatch swatch-accuracy" />Receiving <strong>{rate(shown()?.down ?? 0)}</strong></div>
          <div class="chart-value"><span class="swatch swatch-loss" />Sending <strong>{rate(shown()?.up ?? 0)}</strong></div>
        </div>
        <span class="chart-where">{shown() === undefined ? '' : clock(shown()!.timeMs)}</span>
      </div>
      <Show when={props.points.length > 1} fallback={<p class="quiet">The curve begins after a few seconds.</p>}>
        <div class="chart-picture" role="img" aria-label={summary()}><Plot data={data()} options={options} height={props.height ?? 200} onHover={setHovered} /></div>
      </Show>
    </div>
  )
}

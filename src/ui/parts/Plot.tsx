/** A uPlot that fits its box, follows its data and takes its colours from the style sheet. */
import { createEffect, on, onCleanup, onMount, Show, type JSX } from 'solid-js'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useApp } from '../context.tsx'

/** Resolves a custom property to a colour a canvas understands. */
export type ColourOf = (name: string) => string

export interface PlotProps {
  readonly data: uPlot.AlignedData
  /** Least height in pixels: the box may be stretched to the height of its neighbours. */
  readonly height: number
  readonly options: (colour: ColourOf, axis: uPlot.Axis) => Omit<uPlot.Options, 'width' | 'height'>
  /** The picture is made anew when this changes. */
  readonly remake?: unknown
  readonly onHover?: (index: number | undefined) => void
}

/** A canvas cannot take new colours, so a change of theme draws a new one. */
export function Plot (props: PlotProps): JSX.Element {
  const app = useApp()
  return <Show when={app.theme.shown()} keyed>{_theme => <Canvas {...props} />}</Show>
}

function Canvas (props: PlotProps): JSX.Element {
  let host!: HTMLDivElement
  let plot: uPlot | undefined

  onMount(() => {
    // Test environments have no canvas; the words around the picture carry the same facts.
    if (document.createElement('canvas').getContext('2d') === null) return
    const colour = colourReader(host)
    const axis: uPlot.Axis = { stroke: colour('--muted'), font: '12px system-ui, sans-serif', grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } }
    const height = (): number => Math.max(props.height, host.clientHeight)
    const make = (): void => {
      plot?.destroy()
      const options = props.options(colour, axis)
      plot = new uPlot({ ...options, width: Math.max(200, host.clientWidth), height: height(), legend: { show: false }, hooks: { setCursor: [u => { props.onHover?.(u.cursor.idx ?? undefined) }] } }, props.data, host)
    }
    createEffect(on(() => props.remake, make))
    createEffect(() => { plot?.setData(props.data) })
    const observer = new ResizeObserver(() => { plot?.setSize({ width: Math.max(200, host.clientWidth), height: height() }) })
    observer.observe(host)
    onCleanup(() => { observer.disconnect(); plot?.destroy(); props.onHover?.(undefined) })
  })
  return <div class="plot" ref={host} style={{ 'min-height': `${props.height}px` }} />
}

function colourReader (host: HTMLElement): ColourOf {
  return name => {
    const probe = document.createElement('i')
    probe.style.color = `var(${name})`
    host.append(probe)
    const value = getComputedStyle(probe).color
    probe.remove()
    return value
  }
}

/** One record of u8 features as a picture, crisp at any size; three channels are drawn in colour. */
import { createEffect, type JSX } from 'solid-js'
import type { RecordShape } from '../../bridge/api.ts'
import { rgbaOf } from '../pictures.ts'

export function RecordImage (props: { features: Uint8Array, shape: RecordShape, label: string, size?: number }): JSX.Element {
  let canvas!: HTMLCanvasElement
  createEffect(() => {
    const { width, height } = props.shape
    // Setting a side clears the canvas, so both are set here and not in the markup.
    canvas.width = width
    canvas.height = height
    const context = canvas.getContext('2d')
    if (context === null) return
    const picture = context.createImageData(width, height)
    picture.data.set(rgbaOf(props.features, props.shape))
    context.putImageData(picture, 0, 0)
  })
  return <canvas ref={canvas} class="record" role="img" aria-label={props.label} data-channels={props.shape.channels} style={{ width: `${props.size ?? 56}px`, height: `${(props.size ?? 56) * props.shape.height / props.shape.width}px` }} />
}

/** One record of u8 features as a picture, crisp at any size. */
import { createEffect, type JSX } from 'solid-js'

export function RecordImage (props: { features: Uint8Array, width: number, height: number, label: string, size?: number }): JSX.Element {
  let canvas!: HTMLCanvasElement
  createEffect(() => {
    const context = canvas.getContext('2d')
    if (context === null) return
    const picture = context.createImageData(props.width, props.height)
    for (let i = 0; i < props.width * props.height; i++) {
      const v = props.features[i] ?? 0
      picture.data.set([v, v, v, 255], i * 4)
    }
    context.putImageData(picture, 0, 0)
  })
  return <canvas ref={canvas} class="record" width={props.width} height={props.height} role="img" aria-label={props.label} style={{ width: `${props.size ?? 56}px`, height: `${(props.size ?? 56) * props.height / props.width}px` }} />
}

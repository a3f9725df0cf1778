/** Which records are pictures, and pictures as records: [channels, height, width], row major, u8. */
import type { RecordShape } from '../bridge/api.ts'
import { fitInk, PICTURE_SIDE_MIN, type Gray } from './digits.ts'

const COLOURS = 3

/** The shape to draw a record in, if it is a picture in grey or in colour that an eye could read. */
export function pictureOf (features: number, shape: Partial<RecordShape>): RecordShape | undefined {
  const { channels = 1, height = 0, width = 0 } = shape
  return Math.min(height, width) >= PICTURE_SIDE_MIN && channels * height * width === features ? { channels, height, width } : undefined
}

/** Without a shape at hand: a square number of features is most likely a picture. */
export function guessPicture (features: number): RecordShape | undefined {
  const side = Math.floor(Math.sqrt(features))
  return pictureOf(features, { height: side, width: side })
}

/** RGBA pixels of a record: three channels are colours, of any other number the mean is shown. */
export function rgbaOf (features: Uint8Array, { channels, height, width }: RecordShape): Uint8ClampedArray {
  const size = height * width
  const out = new Uint8ClampedArray(size * 4)
  for (let i = 0; i < size; i++) {
    let sum = 0
    for (let c = 0; c < channels; c++) sum += features[c * size + i] ?? 0
    for (let c = 0; c < COLOURS; c++) out[i * 4 + c] = channels === COLOURS ? features[c * size + i] ?? 0 : sum / channels
    out[i * 4 + 3] = 255
  }
  return out
}

/** A picture of any size as a record in colour: its middle, cropped to the record's proportions, on white. */
export function colourFromRgba (width: number, height: number, rgba: Uint8ClampedArray | Uint8Array, shape: RecordShape): Uint8Array {
  const scale = Math.min(width / shape.width, height / shape.height)
  const w = Math.max(1, Math.round(shape.width * scale))
  const h = Math.max(1, Math.round(shape.height * scale))
  const left = (width - w) >> 1
  const top = (height - h) >> 1
  const size = shape.width * shape.height
  const out = new Uint8Array(COLOURS * size)
  for (let c = 0; c < COLOURS; c++) {
    const plane: Gray = { width: w, height: h, pixels: new Uint8Array(w * h) }
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      const at = ((top + y) * width + left + x) * 4
      const a = rgba[at + 3]! / 255
      plane.pixels[y * w + x] = Math.round(rgba[at + c]! * a + 255 * (1 - a))
    }
    out.set(fitInk(plane, shape.width, shape.height), c * size)
  }
  return out
}

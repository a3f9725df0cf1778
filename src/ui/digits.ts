/**
 * From a drawing or a picture to a record like those of MNIST: the strokes are cropped, scaled into
 * a box of 20/28 of the side with their proportions kept, and placed with their centre of mass in
 * the middle. Values are u8, 255 is ink. Pure: pixels in, pixels out.
 */
export interface Gray { readonly width: number, readonly height: number, readonly pixels: Uint8Array }

/** Records narrower than this are a table's, whatever shape their number of columns would allow. */
export const PICTURE_SIDE_MIN = 8
/** Ink below this is paper: scans and antialiasing leave a haze. */
const INK_MIN = 24
/** MNIST: a 20-pixel box in a 28-pixel field. */
const BOX_SHARE = 20 / 28

/** RGBA on white or black paper to ink; a picture with a light border is inverted. */
export function inkFromRgba (width: number, height: number, rgba: Uint8ClampedArray | Uint8Array): Gray {
  const pixels = new Uint8Array(width * height)
  for (let i = 0; i < pixels.length; i++) {
    const a = rgba[i * 4 + 3]! / 255
    const luma = 0.299 * rgba[i * 4]! + 0.587 * rgba[i * 4 + 1]! + 0.114 * rgba[i * 4 + 2]!
    // What is transparent shows the white paper below it.
    pixels[i] = Math.round(luma * a + 255 * (1 - a))
  }
  if (borderMean(width, height, pixels) > 127) for (let i = 0; i < pixels.length; i++) pixels[i] = 255 - pixels[i]!
  return { width, height, pixels }
}

function borderMean (width: number, height: number, pixels: Uint8Array): number {
  let sum = 0
  let n = 0
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue
    sum += pixels[y * width + x]!
    n++
  }
  return n === 0 ? 0 : sum / n
}

/** Undefined when nothing is drawn. */
export function centreInk (ink: Gray, width: number, height: number): Uint8Array | undefined {
  let left = ink.width; let right = -1; let top = ink.height; let bottom = -1
  for (let y = 0; y < ink.height; y++) for (let x = 0; x < ink.width; x++) {
    if (ink.pixels[y * ink.width + x]! < INK_MIN) continue
    if (x < left) left = x
    if (x > right) right = x
    if (y < top) top = y
    if (y > bottom) bottom = y
  }
  if (right < 0) return undefined
  const w = right - left + 1
  const h = bottom - top + 1
  const scale = Math.min(width * BOX_SHARE / w, height * BOX_SHARE / h)
  const centre = massCentre(ink)
  // Output pixel (x, y) covers the square of the drawing around its own centre.
  const out = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const x0 = (x - width / 2) / scale + centre.x
    const y0 = (y - height / 2) / scale + centre.y
    out[y * width + x] = Math.round(areaMean(ink, x0, y0, x0 + 1 / scale, y0 + 1 / scale))
  }
  return out
}

function massCentre (ink: Gray): { x: number, y: number } {
  let mass = 0; let mx = 0; let my = 0
  for (let y = 0; y < ink.height; y++) for (let x = 0; x < ink.width; x++) {
    const v = ink.pixels[y * ink.width + x]!
    if (v < INK_MIN) continue
    mass += v
    mx += v * (x + 0.5)
    my += v * (y + 0.5)
  }
  return { x: mx / mass, y: my / mass }
}

/** Mean ink of a rectangle with fractional edges; outside is paper. */
function areaMean (ink: Gray, x0: number, y0: number, x1: number, y1: number): number {
  let sum = 0
  for (let y = Math.max(0, Math.floor(y0)); y < Math.min(ink.height, Math.ceil(y1)); y++) {
    const coverY = Math.min(y + 1, y1) - Math.max(y, y0)
    for (let x = Math.max(0, Math.floor(x0)); x < Math.min(ink.width, Math.ceil(x1)); x++) {
      sum += ink.pixels[y * ink.width + x]! * coverY * (Math.min(x + 1, x1) - Math.max(x, x0))
    }
  }
  return sum / ((x1 - x0) * (y1 - y0))
}

/** Fits any picture into the record's size without cropping or centring, for data that is not strokes. */
export function fitInk (ink: Gray, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height)
  const sx = ink.width / width
  const sy = ink.height / height
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out[y * width + x] = Math.round(areaMean(ink, x * sx, y * sy, (x + 1) * sx, (y + 1) * sy))
  return out
}

/**
 * The built-in data set: handwritten-like digits, drawn by integer arithmetic from an index alone,
 * so that the benchmark job needs no download and every node holds the same bytes. A digit is a
 * skeleton (digitStrokes.ts), moved by a random affine map and a smooth random field, drawn with
 * a pen of random width, among specks, then blurred and dimmed and covered in noise.
 */
import { fromHex } from '../codec/ssz.ts'
import { SKELETONS, type Stroke } from './digitStrokes.ts'
import { fmix32 } from './integers.ts'

export const BUILTIN_TRAIN = 12_000
export const BUILTIN_TEST = 2_000
export const BUILTIN_SIDE = 28
export const BUILTIN_FEATURES = BUILTIN_SIDE * BUILTIN_SIDE
export const BUILTIN_CLASSES = 10
/** Computed by scripts/make-digits-root.ts; tests compute it again. */
export const BUILTIN_ROOT = fromHex('a29d5ef1edfe03c4b5ad046581e1688f94da717fdc94d30bcc43150e9be2dcaa', 32) as Uint8Array

export interface DigitRecord { readonly features: Uint8Array, readonly label: number }

/** Image coordinates are 1/64 of a pixel. */
const PIXEL = 64
const CENTRE = BUILTIN_SIDE * PIXEL / 2

/** Draws of one record, addressed by a counter: record i never depends on record j. */
class Draws {
  private readonly key: number
  private counter = 0

  constructor (index: number) { this.key = fmix32(Math.imul(index, 0x9e3779b1) + 0x64696769) }

  u32 (): number { return fmix32(Math.imul(++this.counter, 0x85ebca77) + this.key) }

  below (n: number): number { return this.u32() % n }

  /** Uniform in [-n, n]. */
  within (n: number): number { return this.below(2 * n + 1) - n }

  /** Of two draws: middling values are likelier, in [-n, n]. */
  bent (n: number): number { return (this.within(n) + this.within(n)) >> 1 }
}

/** How far things vary; chosen so that a linear model cannot follow and a small MLP can. */
const VARY = {
  /** Control points, in skeleton units. */
  point: 8,
  /** Rotation and shear, 1/1024. */
  turn: 400,
  slant: 300,
  /** Half size of the box in 1/64 px: a digit is about 20 px tall. */
  halfHeight: [440, 690],
  halfWidth: [280, 580],
  /** Shift, 1/64 px. */
  shift: 260,
  /** Displacement of a node of the smooth field, 1/64 px. */
  field: 110,
  /** Pen radius, 1/64 px. */
  pen: [45, 100],
  specks: 3,
  ink: [150, 255],
  noise: 28
} as const

/** Nodes of the displacement field lie 10 px apart, 4 x 4 of them cover the image. */
const FIELD_STEP = 10 * PIXEL
const FIELD_NODES = 4

class Field {
  private readonly dx = new Int32Array(FIELD_NODES * FIELD_NODES)
  private readonly dy = new Int32Array(FIELD_NODES * FIELD_NODES)

  constructor (draws: Draws) {
    for (let i = 0; i < this.dx.length; i++) {
      this.dx[i] = draws.within(VARY.field)
      this.dy[i] = draws.within(VARY.field)
    }
  }

  /** Adds the field at (points[i], points[i + 1]), bilinear between nodes. */
  move (points: Int32Array): void {
    const most = FIELD_STEP * (FIELD_NODES - 1) - 1
    for (let i = 0; i < points.length; i += 2) {
      const x = Math.max(0, Math.min(most, points[i]))
      const y = Math.max(0, Math.min(most, points[i + 1]))
      const node = Math.floor(y / FIELD_STEP) * FIELD_NODES + Math.floor(x / FIELD_STEP)
      const fx = x % FIELD_STEP
      const fy = y % FIELD_STEP
      points[i] += this.at(this.dx, node, fx, fy)
      points[i + 1] += this.at(this.dy, node, fx, fy)
    }
  }

  private at (grid: Int32Array, node: number, fx: number, fy: number): number {
    const top = grid[node] * (FIELD_STEP - fx) + grid[node + 1] * fx
    const bottom = grid[node + FIELD_NODES] * (FIELD_STEP - fx) + grid[node + FIELD_NODES + 1] * fx
    return Math.floor((top * (FIELD_STEP - fy) + bottom * fy) / (FIELD_STEP * FIELD_STEP))
  }
}

/** Chaikin's corner cutting, ends kept: each inner corner becomes two points a quarter away. */
function cutCorners (points: Int32Array): Int32Array {
  const n = points.length / 2
  if (n < 3) return points
  const out = new Int32Array(2 * (2 * n - 2))
  let o = 0
  out[o++] = points[0]
  out[o++] = points[1]
  for (let i = 1; i < n - 1; i++) {
    for (const other of [i - 1, i + 1]) {
      out[o++] = (3 * points[2 * i] + points[2 * other]) >> 2
      out[o++] = (3 * points[2 * i + 1] + points[2 * other + 1]) >> 2
    }
  }
  out[o++] = points[2 * n - 2]
  out[o++] = points[2 * n - 1]
  return out
}

type Matrix = readonly [number, number, number, number, number, number]

/** Maps a stroke of the 100 x 100 box to image coordinates, smooth and shaken. */
function placeStroke (stroke: Stroke, m: Matrix, field: Field, draws: Draws): Int32Array {
  const points = new Int32Array(stroke.length)
  for (let i = 0; i < points.length; i += 2) {
    const x = stroke[i] + draws.bent(VARY.point) - 50
    const y = stroke[i + 1] + draws.bent(VARY.point) - 50
    // Matrix entries are 1/64 px per 50 units, times 1024.
    points[i] = Math.floor((m[0] * x + m[1] * y) / 51200) + m[4]
    points[i + 1] = Math.floor((m[2] * x + m[3] * y) / 51200) + m[5]
  }
  const smooth = cutCorners(cutCorners(points))
  field.move(smooth)
  return smooth
}

/**
 * Darkens the pixels near a segment: full ink within radius - half a pixel, none beyond radius +
 * half a pixel, in between by squared distance (no root needed).
 */
function drawSegment (image: Uint8Array, x0: number, y0: number, x1: number, y1: number, radius: number, ink: number): void {
  const reach = radius + PIXEL / 2
  const core = Math.max(0, radius - PIXEL / 2)
  const outer = reach * reach
  const ramp = outer - core * core
  const dx = x1 - x0
  const dy = y1 - y0
  const length2 = dx * dx + dy * dy
  const left = Math.max(0, (Math.min(x0, x1) - reach) >> 6)
  const right = Math.min(BUILTIN_SIDE - 1, (Math.max(x0, x1) + reach) >> 6)
  const top = Math.max(0, (Math.min(y0, y1) - reach) >> 6)
  const bottom = Math.min(BUILTIN_SIDE - 1, (Math.max(y0, y1) + reach) >> 6)
  for (let row = top; row <= bottom; row++) {
    const py = row * PIXEL + PIXEL / 2 - y0
    for (let column = left; column <= right; column++) {
      const px = column * PIXEL + PIXEL / 2 - x0
      const dot = px * dx + py * dy
      const t = dot <= 0 ? 0 : dot >= length2 ? 256 : Math.floor(dot * 256 / length2)
      const ex = px - ((dx * t) >> 8)
      const ey = py - ((dy * t) >> 8)
      const d2 = ex * ex + ey * ey
      if (d2 >= outer) continue
      const value = Math.floor(ink * Math.min(ramp, outer - d2) / ramp)
      const at = row * BUILTIN_SIDE + column
      if (value > image[at]) image[at] = value
    }
  }
}

function drawStroke (image: Uint8Array, points: Int32Array, radius: number, ink: number): void {
  for (let i = 0; i + 3 < points.length; i += 2) {
    drawSegment(image, points[i], points[i + 1], points[i + 2], points[i + 3], radius, ink)
  }
}

/** One pass of the 3 x 3 binomial filter; the border row and column stay. */
function blur (image: Uint8Array): void {
  const S = BUILTIN_SIDE
  const from = image.slice()
  for (let row = 1; row < S - 1; row++) {
    for (let i = row * S + 1; i < row * S + S - 1; i++) {
      const sum = from[i - S - 1] + 2 * from[i - S] + from[i - S + 1] +
        2 * from[i - 1] + 4 * from[i] + 2 * from[i + 1] +
        from[i + S - 1] + 2 * from[i + S] + from[i + S + 1]
      image[i] = (sum + 8) >> 4
    }
  }
}

function addNoise (image: Uint8Array, draws: Draws, amplitude: number): void {
  const span = 2 * amplitude + 1
  for (let i = 0; i < image.length; i += 4) {
    const r = draws.u32()
    for (let k = 0; k < 4; k++) {
      const n = (((r >>> (8 * k)) & 255) * span >> 8) - amplitude
      image[i + k] = Math.max(0, Math.min(255, image[i + k] + n))
    }
  }
}

const between = (draws: Draws, [least, most]: readonly [number, number]): number => least + draws.below(most - least + 1)

/** Record `index` of the built-in set: 0..BUILTIN_TRAIN-1 train, the rest are held out. */
export function digitRecord (index: number): DigitRecord {
  const draws = new Draws(index)
  const label = draws.below(BUILTIN_CLASSES)
  const skeleton = SKELETONS[label][draws.below(SKELETONS[label].length)]
  const turn = draws.bent(VARY.turn)
  const slant = draws.bent(VARY.slant)
  const w = between(draws, VARY.halfWidth)
  const h = between(draws, VARY.halfHeight)
  const matrix: Matrix = [w * 1024, h * (slant - turn), w * turn, h * 1024, CENTRE + draws.bent(VARY.shift), CENTRE + draws.bent(VARY.shift)]
  const field = new Field(draws)
  const image = new Uint8Array(BUILTIN_FEATURES)
  const pen = between(draws, VARY.pen)
  const ink = between(draws, VARY.ink)
  for (const stroke of skeleton) drawStroke(image, placeStroke(stroke, matrix, field, draws), pen + draws.within(8), ink)
  for (let specks = draws.below(VARY.specks + 1); specks > 0; specks--) {
    const x = draws.below(BUILTIN_SIDE * PIXEL)
    const y = draws.below(BUILTIN_SIDE * PIXEL)
    drawSegment(image, x, y, x + draws.within(5 * PIXEL), y + draws.within(5 * PIXEL), 24 + draws.below(24), ink >> 1)
  }
  if (draws.below(2) === 1) blur(image)
  addNoise(image, draws, draws.below(VARY.noise + 1))
  return { features: image, label }
}

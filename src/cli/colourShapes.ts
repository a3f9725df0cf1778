/**
 * Synthetic records of CIFAR's shape, [3, 32, 32]: ten kinds of coloured figures on coloured ground,
 * at any place, size and colour, under noise. No pixel and no colour tells the class, so a linear
 * model learns little of it and a convolutional one most.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fmix32 } from '../core/training/integers.ts'

export const SIDE = 32
const CHANNELS = 3
export const CLASSES = ['disc', 'ring', 'square', 'frame', 'triangle', 'plus', 'cross', 'rows', 'columns', 'checks'] as const
const SIZE_MIN = 9
const SIZE_MAX = 14
const NOISE = 24
/** Figure and ground differ by at least this in some channel. */
const CONTRAST = 90

/** Uniform numbers below `range` from a seed, one after another. */
function sequence (seed: number): (range: number) => number {
  let at = 0
  return range => fmix32(Math.imul(seed, 0x9e3779b1) + at++) % range
}

/** Whether (x, y), measured from the figure's centre in units of its half side `h`, is inside. */
const INSIDE: Readonly<Record<typeof CLASSES[number], (x: number, y: number, h: number) => boolean>> = {
  disc: (x, y, h) => x * x + y * y <= h * h,
  ring: (x, y, h) => x * x + y * y <= h * h && 2.2 * (x * x + y * y) >= h * h,
  square: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= 0.85 * h,
  frame: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= 0.9 * h && Math.max(Math.abs(x), Math.abs(y)) >= 0.55 * h,
  triangle: (x, y, h) => y <= h * 0.8 && y >= -h && Math.abs(x) <= (y + h) * 0.55,
  plus: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= h && Math.min(Math.abs(x), Math.abs(y)) <= 0.28 * h,
  cross: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= h && Math.abs(Math.abs(x) - Math.abs(y)) <= 0.35 * h,
  rows: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= h && (y + 64) % 4 < 2,
  columns: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= h && (x + 64) % 4 < 2,
  checks: (x, y, h) => Math.max(Math.abs(x), Math.abs(y)) <= h && ((x + 64) % 6 < 3) !== ((y + 64) % 6 < 3)
}

/** Record `index`: [3, 32, 32] bytes. Its class is index mod 10. */
export function shapeRecord (index: number): { readonly features: Uint8Array, readonly label: number } {
  const next = sequence(index + 1)
  const label = index % CLASSES.length
  const inside = INSIDE[CLASSES[label]]
  const half = SIZE_MIN + next(SIZE_MAX - SIZE_MIN + 1)
  const cx = half + next(SIDE - 2 * half + 1)
  const cy = half + next(SIDE - 2 * half + 1)
  const ground = [next(256), next(256), next(256)]
  let figure = ground
  while (!figure.some((value, c) => Math.abs(value - ground[c]) >= CONTRAST)) figure = [next(256), next(256), next(256)]
  const features = new Uint8Array(CHANNELS * SIDE * SIDE)
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const colour = inside(x - cx, y - cy, half) ? figure : ground
      for (let c = 0; c < CHANNELS; c++) {
        features[(c * SIDE + y) * SIDE + x] = Math.max(0, Math.min(255, colour[c] + next(2 * NOISE + 1) - NOISE))
      }
    }
  }
  return { features, label }
}

function idx (dimensions: readonly number[], values: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dimensions.length + values.length)
  bytes.set([0, 0, 8, dimensions.length])
  const view = new DataView(bytes.buffer)
  for (const [d, size] of dimensions.entries()) view.setUint32(4 + 4 * d, size, false)
  bytes.set(values, 4 + 4 * dimensions.length)
  return bytes
}

/** Writes a folder of four IDX files under MNIST's names. */
export async function writeColourShapes (dir: string, train: number, test: number): Promise<void> {
  await mkdir(dir, { recursive: true })
  for (const [stem, first, count] of [['train', 0, train], ['t10k', train, test]] as const) {
    const features = new Uint8Array(count * CHANNELS * SIDE * SIDE)
    const labels = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const record = shapeRecord(first + i)
      features.set(record.features, i * record.features.length)
      labels[i] = record.label
    }
    await writeFile(join(dir, `${stem}-images-idx4-ubyte`), idx([count, CHANNELS, SIDE, SIDE], features))
    await writeFile(join(dir, `${stem}-labels-idx1-ubyte`), idx([count], labels))
  }
}

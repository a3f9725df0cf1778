/** Max and average pools. They have no padding: every window lies in its input. */
import { bitlen, firstLanes, largestLane } from './arithmetic'
import { A, BATCH, CHANNELS, ERRORS, HEIGHT, KERNEL, KIND, MAX_POOL, OUT, POSITIONS, ROW, STRIDE, VALUES, WIDTH } from './layout'
import { field, pointer } from './record'
import { storeActivation } from './rounding'

/** What an average is divided by: log2 of the window's size, rounded down. */
export function windowBits (op: usize): i32 {
  return bitlen(field(op, KERNEL) * field(op, KERNEL)) - 1
}

/** Eight i16, `stride` apart. */
// @ts-ignore: decorator
@inline
function loadLine8 (at: usize, stride: i32): v128 {
  if (stride === 1) return v128.load(at)
  if (stride === 2) return v128.shuffle<u16>(v128.load(at), v128.load(at, 16), 0, 2, 4, 6, 8, 10, 12, 14)
  const step = <usize>stride * 2
  let x = v128.load16_splat(at)
  x = v128.load16_lane(at + step, x, 1)
  x = v128.load16_lane(at + step * 2, x, 2)
  x = v128.load16_lane(at + step * 3, x, 3)
  x = v128.load16_lane(at + step * 4, x, 4)
  x = v128.load16_lane(at + step * 5, x, 5)
  x = v128.load16_lane(at + step * 6, x, 6)
  return v128.load16_lane(at + step * 7, x, 7)
}

/**
 * Eight neighbouring windows at a time; what is written past the end of a line is overwritten by
 * the next one, or pads. A sum of 64 * 64 values is below 2^19. Returns max|acc|.
 */
export function poolForward (plan: usize, op: usize, shift: i32): u32 {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const width = field(a, WIDTH)
  const line = field(out, WIDTH)
  const largest = field(op, KIND) === MAX_POOL
  let stat = i32x4.splat(0)
  for (let c = 0; c < field(a, CHANNELS); c++) {
    for (let n = 0; n < field(plan, BATCH); n++) {
      const plane = pointer(a, VALUES) + (<usize>c * field(a, ROW) + n * field(a, POSITIONS)) * 2
      let to = pointer(out, VALUES) + (<usize>c * field(out, ROW) + n * field(out, POSITIONS)) * 2
      for (let oy = 0; oy < field(out, HEIGHT); oy++) {
        for (let ox = 0; ox < line; ox += 8) {
          const corner = plane + <usize>((oy * width + ox) * stride) * 2
          let low: v128
          let high: v128
          if (largest) {
            let x = i16x8.splat(-128)
            for (let ky = 0; ky < kernel; ky++) {
              for (let kx = 0; kx < kernel; kx++) x = i16x8.max_s(x, loadLine8(corner + (ky * width + kx) * 2, stride))
            }
            low = i32x4.extend_low_i16x8_s(x)
            high = i32x4.extend_high_i16x8_s(x)
          } else {
            low = i32x4.splat(0)
            high = i32x4.splat(0)
            for (let ky = 0; ky < kernel; ky++) {
              for (let kx = 0; kx < kernel; kx++) {
                const x = loadLine8(corner + (ky * width + kx) * 2, stride)
                low = i32x4.add(low, i32x4.extend_low_i16x8_s(x))
                high = i32x4.add(high, i32x4.extend_high_i16x8_s(x))
              }
            }
          }
          stat = i32x4.max_u(stat, storeActivation(to + ox * 2, 0, 0, low, high, firstLanes(line - ox), false, shift))
        }
        to += <usize>line * 2
      }
    }
  }
  return largestLane(stat)
}

/** Adds eight i16 to eight i32. */
// @ts-ignore: decorator
@inline
function addWidened (to: usize, x: v128): void {
  v128.store(to, i32x4.add(v128.load(to), i32x4.extend_low_i16x8_s(x)))
  v128.store(to, i32x4.add(v128.load(to, 16), i32x4.extend_high_i16x8_s(x)), 16)
}

/** Adds the errors of eight windows of 2 x 2 in steps of 2 to the elements under them: all, or the first largest. */
// @ts-ignore: decorator
@inline
function addErrors2 (x: usize, to: usize, width: i32, e: v128, largest: bool): void {
  let e00 = e
  let e01 = e
  let e10 = e
  let e11 = e
  if (largest) {
    const top = v128.load(x)
    const top8 = v128.load(x, 16)
    const below = v128.load(x + width * 2)
    const below8 = v128.load(x + width * 2, 16)
    const x00 = v128.shuffle<u16>(top, top8, 0, 2, 4, 6, 8, 10, 12, 14)
    const x01 = v128.shuffle<u16>(top, top8, 1, 3, 5, 7, 9, 11, 13, 15)
    const x10 = v128.shuffle<u16>(below, below8, 0, 2, 4, 6, 8, 10, 12, 14)
    const x11 = v128.shuffle<u16>(below, below8, 1, 3, 5, 7, 9, 11, 13, 15)
    const most = i16x8.max_s(i16x8.max_s(x00, x01), i16x8.max_s(x10, x11))
    e00 = v128.and(e, i16x8.eq(x00, most))
    let left = v128.andnot(e, i16x8.eq(x00, most))
    e01 = v128.and(left, i16x8.eq(x01, most))
    left = v128.andnot(left, i16x8.eq(x01, most))
    e10 = v128.and(left, i16x8.eq(x10, most))
    e11 = v128.andnot(left, i16x8.eq(x10, most))
  }
  addWidened(to, v128.shuffle<u16>(e00, e01, 0, 8, 1, 9, 2, 10, 3, 11))
  addWidened(to + 32, v128.shuffle<u16>(e00, e01, 4, 12, 5, 13, 6, 14, 7, 15))
  addWidened(to + width * 4, v128.shuffle<u16>(e10, e11, 0, 8, 1, 9, 2, 10, 3, 11))
  addWidened(to + width * 4 + 32, v128.shuffle<u16>(e10, e11, 4, 12, 5, 13, 6, 14, 7, 15))
}

/** Adds one window's error to its first largest element. */
// @ts-ignore: decorator
@inline
function addToLargest (x: usize, to: usize, width: i32, kernel: i32, e: i32): void {
  let best = 0
  let most: i32 = -128
  for (let ky = 0; ky < kernel; ky++) {
    for (let kx = 0; kx < kernel; kx++) {
      const value = <i32>load<i16>(x + (ky * width + kx) * 2)
      if (value > most) {
        most = value
        best = ky * width + kx
      }
    }
  }
  store<i32>(to + best * 4, load<i32>(to + best * 4) + e)
}

/** Adds one window's error to all of it. */
// @ts-ignore: decorator
@inline
function addToAll (to: usize, width: i32, kernel: i32, e: i32): void {
  const lanes = i32x4.splat(e)
  for (let ky = 0; ky < kernel; ky++) {
    const line = to + (ky * width) * 4
    let kx = 0
    for (; kx + 4 <= kernel; kx += 4) v128.store(line + kx * 4, i32x4.add(v128.load(line + kx * 4), lanes))
    for (; kx < kernel; kx++) store<i32>(line + kx * 4, load<i32>(line + kx * 4) + e)
  }
}

/** D for channels from..to - 1: up to 4096 errors meet in an element. */
export function poolErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {
  const a = pointer(op, A)
  const e = pointer(op, OUT)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const width = field(a, WIDTH)
  const row = field(a, ROW)
  const line = field(e, WIDTH)
  const largest = field(op, KIND) === MAX_POOL
  memory.fill(out, 0, <usize>(to - from) * row * 4)
  for (let c = from; c < to; c++) {
    for (let n = 0; n < field(plan, BATCH); n++) {
      const start = <usize>(n * field(a, POSITIONS))
      const x = pointer(a, VALUES) + (<usize>c * row + start) * 2
      const d = out + (<usize>(c - from) * row + start) * 4
      let errors = pointer(e, ERRORS) + (<usize>c * field(e, ROW) + n * field(e, POSITIONS)) * 2
      for (let oy = 0; oy < field(e, HEIGHT); oy++) {
        const corner = <usize>(oy * stride * width)
        if (kernel === 2 && stride === 2) {
          for (let ox = 0; ox < line; ox += 8) {
            const at = corner + ox * 2
            addErrors2(x + at * 2, d + at * 4, width, v128.and(v128.load(errors + ox * 2), firstLanes(line - ox)), largest)
          }
        } else {
          for (let ox = 0; ox < line; ox++) {
            const at = corner + ox * stride
            const error = <i32>load<i16>(errors + ox * 2)
            if (largest) addToLargest(x + at * 2, d + at * 4, width, kernel, error)
            else addToAll(d + at * 4, width, kernel, error)
          }
        }
        errors += <usize>line * 2
      }
    }
  }
}

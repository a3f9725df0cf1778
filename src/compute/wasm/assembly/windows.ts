/**
 * Between a tensor and the windows that a convolution lays over it. A column is an output position
 * of a sample, (n * H' + oy) * W' + ox; a row is an element of the window, (c * kernel + ky) * kernel
 * + kx. What a row reads for a line of outputs lies in a line of the input: so a range of columns is
 * worked on as blocks of lines of one sample, whole lines where the range has them.
 */
import { firstLanes } from './arithmetic'
import { A, CHANNELS, GROUPS, HEIGHT, KERNEL, OUT, PADDING, POSITIONS, ROW, STRIDE, VALUES, WIDTH } from './layout'
import { field, pointer } from './record'

/** `lines` lines of `length` i16 that are `stride` apart to neighbours; every line writes up to 7 more. */
// @ts-ignore: decorator
@inline
function copyLines (from: usize, fromStep: usize, to: usize, length: i32, stride: i32, lines: i32): void {
  const toStep = <usize>length * 2
  for (let l = 0; l < lines; l++) {
    if (stride === 1) {
      v128.store(to, v128.load(from))
      for (let i = 8; i < length; i += 8) v128.store(to + i * 2, v128.load(from + i * 2))
    } else if (stride === 2) {
      for (let i = 0; i < length; i += 8) {
        v128.store(to + i * 2, v128.shuffle<u16>(v128.load(from + i * 4), v128.load(from + i * 4, 16), 0, 2, 4, 6, 8, 10, 12, 14))
      }
    } else {
      for (let i = 0; i < length; i++) store<i16>(to + i * 2, load<i16>(from + i * stride * 2))
    }
    from += fromStep
    to += toStep
  }
}

/** Of positions start, start + stride, ... how many of the first `count` are below 0. */
// @ts-ignore: decorator
@inline
function before (start: i32, stride: i32, count: i32): i32 {
  let i = 0
  while (i < count && start + i * stride < 0) i++
  return i
}

/** And where those begin that are not below `size`. */
// @ts-ignore: decorator
@inline
function within (start: i32, stride: i32, count: i32, size: i32): i32 {
  let i = count
  while (i > 0 && start + (i - 1) * stride >= size) i--
  return i
}

/**
 * A block of `lines` lines of `length` columns, whose first element of the input is (y, x) of a
 * sample. Lines and ends of lines outside the input become 0.
 */
function gatherBlock (sample: usize, height: i32, width: i32, y: i32, x: i32, lines: i32, length: i32, stride: i32, to: usize): void {
  const step = <usize>length * 2
  const top = before(y, stride, lines)
  const bottom = max(top, within(y, stride, lines, height))
  if (top > 0) memory.fill(to, 0, <usize>top * step)
  copyLines(sample + ((y + top * stride) * width + x) * 2, <usize>(stride * width) * 2, to + <usize>top * step, length, stride, bottom - top)
  if (bottom < lines) memory.fill(to + <usize>bottom * step, 0, <usize>(lines - bottom) * step)
  const left = before(x, stride, length)
  const right = within(x, stride, length, width)
  if (left === 0 && right === length) return
  for (let l = top; l < bottom; l++) {
    const line = to + <usize>l * step
    for (let i = 0; i < left; i++) store<i16>(line + i * 2, 0)
    for (let i = right; i < length; i++) store<i16>(line + i * 2, 0)
  }
}

/** Columns first..first + count - 1 of a group's windows, to i16 [K][columns]. Writes up to 7 more, in columns that pad. */
export function gather (op: usize, group: i32, first: i32, count: i32, to: usize, columns: i32): void {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const padding = field(op, PADDING)
  const channels = field(a, CHANNELS) / field(op, GROUPS)
  const height = field(a, HEIGHT)
  const width = field(a, WIDTH)
  const positions = <usize>field(a, POSITIONS) * 2
  const lineCount = field(out, HEIGHT)
  const line = field(out, WIDTH)
  const n0 = <usize>(first / field(out, POSITIONS))
  const y0 = first % field(out, POSITIONS) / line
  const x0 = first % line
  for (let c = 0; c < channels; c++) {
    const plane = pointer(a, VALUES) + <usize>(group * channels + c) * field(a, ROW) * 2 + n0 * positions
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        let at = to
        let sample = plane
        let oy = y0
        let ox = x0
        for (let left = count; left > 0;) {
          let lines = 1
          const length = min(line - ox, left)
          if (length === line) {
            lines = lineCount - oy
            if (lines * line > left) lines = left / line
          }
          gatherBlock(sample, height, width, oy * stride + ky - padding, ox * stride + kx - padding, lines, length, stride, at)
          at += <usize>(lines * length) * 2
          left -= lines * length
          oy += lines
          ox = 0
          if (oy >= lineCount) {
            oy = 0
            sample += positions
          }
        }
        to += <usize>columns * 2
      }
    }
  }
}

/** `lines` lines of `length` i32 are added to elements that are `stride` apart; to 7 after a line, 0 is. */
// @ts-ignore: decorator
@inline
function addLines (from: usize, fromStep: usize, to: usize, toStep: usize, length: i32, stride: i32, lines: i32): void {
  const whole = length & ~7
  const rest = firstLanes(length & 7)
  const low = i32x4.extend_low_i16x8_s(rest)
  const high = i32x4.extend_high_i16x8_s(rest)
  for (let l = 0; l < lines; l++) {
    if (stride === 1) {
      let a = from
      let b = to
      for (let i = 0; i < whole; i += 8) {
        v128.store(b, i32x4.add(v128.load(b), v128.load(a)))
        v128.store(b, i32x4.add(v128.load(b, 16), v128.load(a, 16)), 16)
        a += 32
        b += 32
      }
      if (length > whole) {
        v128.store(b, i32x4.add(v128.load(b), v128.and(v128.load(a), low)))
        v128.store(b, i32x4.add(v128.load(b, 16), v128.and(v128.load(a, 16), high)), 16)
      }
    } else {
      for (let i = 0; i < length; i++) {
        const element = to + i * stride * 4
        store<i32>(element, load<i32>(element) + load<i32>(from + i * 4))
      }
    }
    from += fromStep
    to += toStep
  }
}

/** Adds a block of lines to where gatherBlock takes it from; what is outside the input is dropped. */
function scatterBlock (from: usize, sample: usize, height: i32, width: i32, y: i32, x: i32, lines: i32, length: i32, stride: i32): void {
  const top = before(y, stride, lines)
  const bottom = within(y, stride, lines, height)
  const left = before(x, stride, length)
  const right = within(x, stride, length, width)
  if (bottom <= top || right <= left) return
  addLines(
    from + <usize>(top * length + left) * 4, <usize>length * 4,
    sample + ((y + top * stride) * width + x + left * stride) * 4, <usize>(stride * width) * 4,
    right - left, stride, bottom - top
  )
}

/**
 * Adds the error sums of windows, i32 [channels * kernel^2][columns], to the tensor's, i32
 * [channels][row]: the columns first..first + count - 1 of `channels` neighbouring channels.
 */
export function scatter (op: usize, channels: i32, first: i32, count: i32, from: usize, columns: i32, to: usize): void {
  const a = pointer(op, A)
  const out = pointer(op, OUT)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const padding = field(op, PADDING)
  const height = field(a, HEIGHT)
  const width = field(a, WIDTH)
  const positions = <usize>field(a, POSITIONS) * 4
  const lineCount = field(out, HEIGHT)
  const line = field(out, WIDTH)
  const n0 = <usize>(first / field(out, POSITIONS))
  const y0 = first % field(out, POSITIONS) / line
  const x0 = first % line
  for (let c = 0; c < channels; c++) {
    const plane = to + <usize>c * field(a, ROW) * 4 + n0 * positions
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        let at = from
        let sample = plane
        let oy = y0
        let ox = x0
        for (let left = count; left > 0;) {
          let lines = 1
          const length = min(line - ox, left)
          if (length === line) {
            lines = lineCount - oy
            if (lines * line > left) lines = left / line
          }
          scatterBlock(at, sample, height, width, oy * stride + ky - padding, ox * stride + kx - padding, lines, length, stride)
          at += <usize>(lines * length) * 4
          left -= lines * length
          oy += lines
          ox = 0
          if (oy >= lineCount) {
            oy = 0
            sample += positions
          }
        }
        from += <usize>columns * 4
      }
    }
  }
}

/**
 * Between a tensor and the windows that a convolution lays over it. A column is an output position
 * of a sample, (n * H' + oy) * W' + ox; a row is an element of the window, (c * kernel + ky) * kernel
 * + kx. Along a line of outputs, what one row reads is a line of the input.
 */
import { GROUPS, HEIGHT, KERNEL, OUT, A, PADDING, POSITIONS, ROW, STRIDE, VALUES, WIDTH, CHANNELS } from './layout'
import { field, pointer } from './record'

/** `count` i16, `stride` apart, to neighbours; writes up to 7 more. */
// @ts-ignore: decorator
@inline
function copyLine (from: usize, to: usize, count: i32, stride: i32): void {
  if (stride === 1) {
    for (let i = 0; i < count; i += 8) v128.store(to + i * 2, v128.load(from + i * 2))
  } else if (stride === 2) {
    for (let i = 0; i < count; i += 8) {
      v128.store(to + i * 2, v128.shuffle<u16>(v128.load(from + i * 4), v128.load(from + i * 4, 16), 0, 2, 4, 6, 8, 10, 12, 14))
    }
  } else {
    for (let i = 0; i < count; i++) store<i16>(to + i * 2, load<i16>(from + i * stride * 2))
  }
}

/**
 * Columns first..first + count - 1 of a group's windows, to i16 [K][columns]. Lines are written in
 * order, so that what a copy writes too much is overwritten, or lies in columns that pad.
 */
export function gather (op: usize, group: i32, first: i32, count: i32, to: usize, columns: i32): void {
  const a = pointer(op, A)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const padding = field(op, PADDING)
  const channels = field(a, CHANNELS) / field(op, GROUPS)
  const height = field(a, HEIGHT)
  const width = field(a, WIDTH)
  const positions = field(a, POSITIONS)
  const out = pointer(op, OUT)
  const lines = field(out, HEIGHT)
  const line = field(out, WIDTH)
  const n0 = first / field(out, POSITIONS)
  const y0 = first % field(out, POSITIONS) / line
  const x0 = first % line
  const zero = i32x4.splat(0)
  for (let c = 0; c < channels; c++) {
    const plane = pointer(a, VALUES) + (<usize>(group * channels + c) * field(a, ROW)) * 2
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        let at = to
        let oy = y0
        let ox = x0
        let sample = plane + (<usize>(n0 * positions)) * 2
        for (let left = count; left > 0;) {
          const length = min(line - ox, left)
          const y = oy * stride + ky - padding
          const x = ox * stride + kx - padding
          if (y < 0 || y >= height) {
            for (let i = 0; i < length; i += 8) v128.store(at + i * 2, zero)
          } else {
            copyLine(sample + (y * width + x) * 2, at, length, stride)
            if (padding > 0) {
              for (let i = 0; i < length && x + i * stride < 0; i++) store<i16>(at + i * 2, 0)
              for (let i = length - 1; i >= 0 && x + i * stride >= width; i--) store<i16>(at + i * 2, 0)
            }
          }
          at += <usize>length * 2
          left -= length
          ox = 0
          if (++oy === lines) {
            oy = 0
            sample += <usize>positions * 2
          }
        }
        to += <usize>columns * 2
      }
    }
  }
}

/**
 * Adds the error sums of windows, i32 [channels * kernel^2][columns], to the tensor's, i32
 * [channels][row]: the columns first..first + count - 1 of `channels` neighbouring channels.
 */
export function scatter (op: usize, channels: i32, first: i32, count: i32, from: usize, columns: i32, to: usize): void {
  const a = pointer(op, A)
  const kernel = field(op, KERNEL)
  const stride = field(op, STRIDE)
  const padding = field(op, PADDING)
  const height = field(a, HEIGHT)
  const width = field(a, WIDTH)
  const positions = field(a, POSITIONS)
  const out = pointer(op, OUT)
  const lines = field(out, HEIGHT)
  const line = field(out, WIDTH)
  const n0 = first / field(out, POSITIONS)
  const y0 = first % field(out, POSITIONS) / line
  const x0 = first % line
  for (let c = 0; c < channels; c++) {
    const plane = to + (<usize>c * field(a, ROW)) * 4
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        let at = from
        let oy = y0
        let ox = x0
        let sample = plane + <usize>(n0 * positions) * 4
        for (let left = count; left > 0;) {
          const length = min(line - ox, left)
          const y = oy * stride + ky - padding
          const x = ox * stride + kx - padding
          if (y >= 0 && y < height) {
            let i = 0
            let end = length
            while (i < end && x + i * stride < 0) i++
            while (i < end && x + (end - 1) * stride >= width) end--
            const input = sample + (y * width + x) * 4
            if (stride === 1) {
              for (; i + 4 <= end; i += 4) {
                v128.store(input + i * 4, i32x4.add(v128.load(input + i * 4), v128.load(at + i * 4)))
              }
            }
            for (; i < end; i++) {
              const element = input + i * stride * 4
              store<i32>(element, load<i32>(element) + load<i32>(at + i * 4))
            }
          }
          at += <usize>length * 4
          left -= length
          ox = 0
          if (++oy === lines) {
            oy = 0
            sample += <usize>positions * 4
          }
        }
        from += <usize>columns * 4
      }
    }
  }
}

/** Weights between their canonical order, the optimiser's and that of the products. */
import { clamp127 } from './arithmetic'
import {
  BACKWARD_PANELS, FORWARD_PANELS, K, K_PADDED, N, N_PADDED, SPARSE, WEIGHTS, WEIGHT_MEAN
} from './layout'
import { field, pointer } from './record'

/** RN(W, s) of four lanes: |W| <= 2^30, so adding half a unit does not overflow. */
// @ts-ignore: decorator
@inline
function quantise4 (at: usize, half: v128, s: i32): v128 {
  return i32x4.shr_s(i32x4.add(v128.load(at), half), s)
}

/**
 * 4.1: w = clamp(RN(W, s), 127) from i32 [N/8][K][8] to the forward panels and, unless 0, the
 * backward panels. `rows` = N/8 * K, even within every panel.
 */
function quantisePanels (weights: usize, forward: usize, backward: usize, rows: i32, s: i32): void {
  const half = i32x4.splat(s > 0 ? 1 << (s - 1) : 0)
  const lower = i32x4.splat(0xffff)
  for (let i = 0; i < rows; i += 2) {
    const a0 = quantise4(weights, half, s)
    const a1 = quantise4(weights + 16, half, s)
    const b0 = quantise4(weights + 32, half, s)
    const b1 = quantise4(weights + 48, half, s)
    // |RN(W, s)| <= 128: two of them share a lane, and the clamp works on both halves.
    v128.store(forward, clamp127(v128.or(v128.and(a0, lower), i32x4.shl(b0, 16))))
    v128.store(forward, clamp127(v128.or(v128.and(a1, lower), i32x4.shl(b1, 16))), 16)
    forward += 32
    if (backward !== 0) {
      v128.store(backward, clamp127(i16x8.narrow_i32x4_s(a0, a1)))
      v128.store(backward, clamp127(i16x8.narrow_i32x4_s(b0, b1)), 16)
      backward += 32
    }
    weights += 64
  }
}

/** The same for canonical i32 [N][K], to i16 [N][K padded to 2]. */
function quantiseRows (weights: usize, to: usize, units: i32, inputs: i32, s: i32): void {
  const half = s > 0 ? 1 << (s - 1) : 0
  for (let j = 0; j < units; j++) {
    for (let k = 0; k < inputs; k++) {
      const w = (load<i32>(weights) + half) >> s
      store<i16>(to, <i16>max(-127, min(127, w)))
      weights += 4
      to += 2
    }
    if (inputs & 1) to += 2
  }
}

/** 4.1 of a layer, with the shift s. */
export function quantiseWeights (op: usize, s: i32): void {
  if (field(op, SPARSE)) quantiseRows(pointer(op, WEIGHTS), pointer(op, FORWARD_PANELS), field(op, N), field(op, K), s)
  else quantisePanels(pointer(op, WEIGHTS), pointer(op, FORWARD_PANELS), pointer(op, BACKWARD_PANELS), (field(op, N_PADDED) >> 3) * field(op, K_PADDED), s)
}

/** Canonical [N][K] in WEIGHT_MEAN to WEIGHTS. Returns max|W|. */
export function loadWeights (op: usize): i32 {
  let canonical = pointer(op, WEIGHT_MEAN)
  const inputs = field(op, K)
  let largest = 0
  for (let j = 0; j < field(op, N); j++) {
    let at = weightAt(op, j)
    const step = field(op, SPARSE) ? 4 : 32
    for (let k = 0; k < inputs; k++) {
      const value = load<i32>(canonical)
      largest = max(largest, abs(value))
      store<i32>(at, value)
      canonical += 4
      at += step
    }
  }
  return largest
}

/** And back. */
export function saveWeights (op: usize): void {
  let canonical = pointer(op, WEIGHT_MEAN)
  for (let j = 0; j < field(op, N); j++) {
    let at = weightAt(op, j)
    const step = field(op, SPARSE) ? 4 : 32
    for (let k = 0; k < field(op, K); k++) {
      store<i32>(canonical, load<i32>(at))
      canonical += 4
      at += step
    }
  }
}

/** Of input 0 of unit j. */
function weightAt (op: usize, j: i32): usize {
  const weights = pointer(op, WEIGHTS)
  if (field(op, SPARSE)) return weights + <usize>(j * field(op, K)) * 4
  return weights + (<usize>(j >> 3) * field(op, K_PADDED) * 8 + (j & 7)) * 4
}

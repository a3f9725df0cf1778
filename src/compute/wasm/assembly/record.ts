/** Reading the records of layout.ts. */
import { OP_SIZE, OP_TABLE, TENSORS, TENSOR_SIZE } from './layout'

// @ts-ignore: decorator
@inline
export function field (at: usize, offset: usize): i32 { return load<i32>(at + offset) }
// @ts-ignore: decorator
@inline
export function pointer (at: usize, offset: usize): usize { return load<u32>(at + offset) }
// @ts-ignore: decorator
@inline
export function tensorAt (plan: usize, t: i32): usize { return pointer(plan, TENSORS) + <usize>t * TENSOR_SIZE }
// @ts-ignore: decorator
@inline
export function opAt (plan: usize, i: i32): usize { return pointer(plan, OP_TABLE) + <usize>i * OP_SIZE }

/** n to a multiple of 8. */
// @ts-ignore: decorator
@inline
export function padded8 (n: i32): i32 { return (n + 7) & ~7 }

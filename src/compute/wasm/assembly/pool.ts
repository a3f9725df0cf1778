export function windowBits (op: usize): i32 { return 0 }
export function poolForward (plan: usize, op: usize, shift: i32): u32 { return 0 }
export function poolErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {}

export function sparseForward (plan: usize, op: usize, noise: usize): u32 { return 0 }
export function sparseErrors (plan: usize, op: usize, from: i32, to: i32, out: usize): void {}
export function sparseUpdate (plan: usize, op: usize): i32 { return 0 }

/**
 * Products of two tensors and the softmax between them (docs/exact.md, 4.3 and 4.5). A thread makes
 * four neighbours of a row; the rows of a product have at most 4,096 terms. What errors come to is
 * left as sums, which the kernel that combines readers rounds.
 */
import { GROUP } from './layout.ts'

/** How the factors lie: L along the sum or across it, or both factors along it. */
export const ALONG = 0
export const ACROSS = 1
export const POSITIONWISE = 2

/** Sums over k of L(row, k) * X(k, column), both of the column's sample. */
const ATTEND = `
/** One sum of two rows of neighbouring bytes. */
fn dotRows(left: u32, right: u32) -> i32 {
  var sum = 0;
  for (var k = 0u; k < op.terms; k += 4u) {
    var w = bytesFrom(right + k);
    if (k + 4u > op.terms) { w &= 0xffffffffu >> (8u * (k + 4u - op.terms)); }
    sum += dot4(bytesFrom(left + k), w);
  }
  return sum;
}

fn attend(row: u32, word: u32, slot: u32) -> vec4<i32> {
  let l = op.a + slot * op.bSlot;
  let x = op.source + slot * op.sourceSlot;
  var sums = vec4<i32>(0);
  // Columns that do not exist read some sample's values; nobody reads what becomes of them.
  let m = min(vec4<u32>(word * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(op.cols - 1u));
  let n = m / op.plane;
  if (op.flat == ${POSITIONWISE}u) {
    for (var i = 0u; i < 4u; i++) {
      let s = m[i] - n[i] * op.plane;
      sums[i] = dotRows((l + row * op.aWords) * 4u + n[i] * op.terms, (x + s * op.sourceWidth) * 4u + n[i] * op.terms);
    }
    return sums;
  }
  var step = 1u;
  var place = vec4<u32>((l + row * op.aWords) * 4u) + n * op.sourcePlane;
  if (op.flat == ${ACROSS}u) {
    step = op.aWords * 4u;
    place = vec4<u32>(l * 4u + row) + n * op.sourcePlane;
  }
  let one = n.x == n.w;
  for (var k = 0u; k < op.terms; k++) {
    let values = unpack(bytes[x + k * op.sourceWidth + word]);
    if (one) { sums += values * signedOf(place.x); }
    else { sums += values * vec4<i32>(signedOf(place.x), signedOf(place.y), signedOf(place.z), signedOf(place.w)); }
    place += vec4<u32>(step);
  }
  return sums;
}
`

export const ATTEND_SHADER = `
${ATTEND}
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let item = op.tileX + linear(id, groups, ${GROUP}u);
  var largest = 0u;
  if (item < op.items) {
    let slot = slotOf();
    let row = item / op.outWords;
    let word = item - row * op.outWords;
    let bits = sumBits(op.kind, op.tensorA, op.tensorB, 0u, 0u);
    largest = activate(row, word, attend(row, word, slot), bits - at(S_F + op.index + 1u), slot);
  }
  report(S_STAT + op.index, largest, index == 0u);
}
`

export const ATTEND_ERROR_SHADER = `
${ATTEND}
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let item = op.tileX + linear(id, groups, ${GROUP}u);
  if (item >= op.items) { return; }
  let row = item / op.outWords;
  let sums = attend(row, item - row * op.outWords, slotOf());
  for (var i = 0u; i < 4u; i++) { ints[op.out + item * 4u + i] = sums[i]; }
}
`

/** A thread makes all channels of four columns. */
export const CHANNEL_SOFTMAX_SHADER = `
fn distances(largest: vec4<i32>, z: vec4<i32>) -> vec4<u32> {
  return (min(bitcast<vec4<u32>>(largest - z), vec4<u32>(20479u)) * 23637u) >> vec4<u32>(16u);
}
fn power(t: u32) -> u32 { return table[t & 255u] >> (t >> 8u); }
fn powers(largest: vec4<i32>, z: vec4<i32>) -> vec4<u32> {
  let t = distances(largest, z);
  return vec4<u32>(power(t.x), power(t.y), power(t.z), power(t.w));
}

@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let word = op.tileX + linear(id, groups, ${GROUP}u);
  var seen = 0u;
  if (word < op.items) {
    let slot = slotOf();
    let source = op.source + slot * op.sourceSlot + word;
    let scale = at(S_F + op.tensorA) - 10 + i32(op.stride);
    var largest = vec4<i32>(bitcast<i32>(0x80000000u));
    for (var j = 0u; j < op.rows; j++) { largest = max(largest, rn4(unpack(bytes[source + j * op.outWords]), scale)); }
    var sum = vec4<u32>(0u);
    for (var j = 0u; j < op.rows; j++) { sum += powers(largest, rn4(unpack(bytes[source + j * op.outWords]), scale)); }
    let shift = 15 - at(S_F + op.index + 1u);
    for (var j = 0u; j < op.rows; j++) {
      let p = powers(largest, rn4(unpack(bytes[source + j * op.outWords]), scale)) * 32767u / sum;
      seen = max(seen, activate(j, word, bitcast<vec4<i32>>(p), shift, slot));
    }
  }
  report(S_STAT + op.index, seen, index == 0u);
}
`

/** D = y (2^f E - sum of y E over the channels), from y and E of what the softmax wrote. */
export const CHANNEL_SOFTMAX_ERROR_SHADER = `
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let word = op.tileX + linear(id, groups, ${GROUP}u);
  if (word >= op.items) { return; }
  var mean = vec4<i32>(0);
  for (var j = 0u; j < op.rows; j++) { mean += unpack(bytes[op.b + j * op.outWords + word]) * unpack(bytes[op.source + j * op.outWords + word]); }
  let shift = vec4<u32>(u32(clamp(at(S_F + op.index + 1u), 0, 15)));
  for (var j = 0u; j < op.rows; j++) {
    let place = j * op.outWords + word;
    let d = unpack(bytes[op.b + place]) * ((unpack(bytes[op.source + place]) << shift) - mean);
    for (var i = 0u; i < 4u; i++) { ints[op.out + place * 4u + i] = d[i]; }
  }
}
`

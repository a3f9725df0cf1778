/** What a step does outside its operations: noise, records, int8 weights, the optimiser, the exponents. */
import { MAX_EXPONENT } from '../../core/training/modelState.ts'
import { GROUP, READER, UPDATE_GROUP } from './layout.ts'

/** ChaCha8 blocks of every stream of several steps; a thread writes one block. */
export const NOISE_SHADER = `
fn rotate(v: vec4<u32>, by: u32) -> vec4<u32> { return (v << vec4<u32>(by)) | (v >> vec4<u32>(32u - by)); }

@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let item = linear(id, groups, ${GROUP}u);
  if (item >= op.items) { return; }
  let slot = item / op.blocks;
  let block = item - slot * op.blocks;
  // The last stream that begins at or before the block.
  var segment = 0u;
  for (var i = 1u; i < op.count; i++) { if (table[op.table + 2u * i] <= block) { segment = i; } }
  let counter = block - table[op.table + 2u * segment];
  let tag = table[op.table + 2u * segment + 1u];
  let words = vec4<u32>(0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u);
  let low = vec4<u32>(atomicLoad(&state[S_KEY]), atomicLoad(&state[S_KEY + 1u]), atomicLoad(&state[S_KEY + 2u]), atomicLoad(&state[S_KEY + 3u]));
  let high = vec4<u32>(atomicLoad(&state[S_KEY + 4u]), atomicLoad(&state[S_KEY + 5u]), atomicLoad(&state[S_KEY + 6u]), atomicLoad(&state[S_KEY + 7u]));
  let nonce = vec4<u32>(counter, atomicLoad(&state[S_STEP]) + slot, tag, 0u);
  var a = words;
  var b = low;
  var c = high;
  var d = nonce;
  for (var round = 0u; round < 8u; round++) {
    a += b; d = rotate(d ^ a, 16u);
    c += d; b = rotate(b ^ c, 12u);
    a += b; d = rotate(d ^ a, 8u);
    c += d; b = rotate(b ^ c, 7u);
    // Columns and diagonals in turn.
    if (round % 2u == 0u) { b = b.yzwx; c = c.zwxy; d = d.wxyz; } else { b = b.wxyz; c = c.zwxy; d = d.yzwx; }
  }
  a += words;
  b += low;
  c += high;
  d += nonce;
  let at16 = op.out + item * 16u;
  for (var i = 0u; i < 4u; i++) {
    bytes[at16 + i] = a[i];
    bytes[at16 + 4u + i] = b[i];
    bytes[at16 + 8u + i] = c[i];
    bytes[at16 + 12u + i] = d[i];
  }
}
`

/** Records u8 [sample, feature] of several steps to tensor 0 of each; a thread writes four neighbours. */
export const INPUT_SHADER = `
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let item = linear(id, groups, ${GROUP}u);
  if (item >= op.items) { return; }
  let words = op.rows * op.outWords;
  let slot = item / words;
  let rest = item - slot * words;
  let row = rest / op.outWords;
  let word = rest - row * op.outWords;
  let records = op.records * 4u + slot * op.batch * op.size;
  let noise = (op.noise + slot * op.blocks * 16u) * 4u;
  var x = vec4<i32>(0);
  for (var i = 0u; i < 4u; i++) {
    let m = word * 4u + i;
    if (m < op.cols) {
      let n = m / op.plane;
      let feature = n * op.size + row * op.plane + m - n * op.plane;
      x[i] = bitcast<i32>(byteOf(records + feature) >> 1u);
      if (op.amplitude > 0u) {
        x[i] = clamp(x[i] + bitcast<i32>(byteOf(noise + feature) & (2u * op.amplitude - 1u)) - bitcast<i32>(op.amplitude), -127, 127);
      }
    }
  }
  bytes[op.out + item] = pack(x);
}
`

/**
 * int8 weights of every layer, twice: rows of units packed along their inputs, and rows of inputs
 * packed along the units that read them. Entry of a segment: its first word, layer, words of a row,
 * inputs of a unit, taps, units of a group, 1 for the second form, length of a row, first parameter.
 */
export const QUANTISE_ENTRY = 9
export const QUANTISE_SHADER = `
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let item = linear(id, groups, ${GROUP}u);
  if (item >= op.items) { return; }
  let segment = op.table + ${QUANTISE_ENTRY}u * table[op.b + item / ${GROUP}u];
  let words = table[segment + 2u];
  let inputs = table[segment + 3u];
  let taps = table[segment + 4u];
  let units = table[segment + 5u];
  let length = table[segment + 7u];
  let local = item - table[segment];
  let row = local / words;
  let first = (local - row * words) * 4u;
  let shift = at(S_SHIFT + table[segment + 1u]);
  let channels = inputs / taps;
  var w = vec4<i32>(0);
  for (var i = 0u; i < 4u; i++) {
    let r = first + i;
    var place = row * length + r;
    if (table[segment + 6u] == 1u) {
      let unit = r / taps;
      let group = row / channels;
      place = ((group * units + unit) * channels + row - group * channels) * taps + r - unit * taps;
    }
    if (r < length) { w[i] = clamp(rn(ints[table[segment + 8u] + place], shift), -127, 127); }
  }
  bytes[op.out + item] = pack(w);
}
`

/** One parameter per thread, and the largest weight of every layer; G becomes 0 for the next step. */
export const UPDATE_ENTRY = 6
export const UPDATE_SHADER = `
@compute @workgroup_size(${UPDATE_GROUP})
fn main(@builtin(workgroup_id) block: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let number = block.x + block.y * groups.x;
  let inside = number < op.blocks;
  // Entry of a tensor: its first group, parameters, operation, tensor read, layer, 1 for biases.
  let tensor = op.table + ${UPDATE_ENTRY}u * table[op.b + min(number, op.blocks - 1u)];
  let i = number * ${UPDATE_GROUP}u + index;
  var largest = 0u;
  if (inside && i - table[tensor] * ${UPDATE_GROUP}u < table[tensor + 1u]) {
    let biases = table[tensor + 5u] == 1u;
    let steps = atomicLoad(&state[S_STEP]) + 1u;
    let warmth = bitlen(steps) - 1;
    var bits = at(S_FE + table[tensor + 2u]);
    if (!biases) { bits += at(S_F + table[tensor + 3u]); }
    let sh = bits - 22;
    let sum = atomicLoad(&grads[i]);
    atomicStore(&grads[i], 0);
    var g: i32;
    if (sh < 0) {
      let up = u32(min(31, -sh));
      let most = 0x3fffffff >> up;
      g = clamp(sum, -most, most) << up;
    } else {
      g = clamp(rn(sum, sh), -0x3fffffff, 0x3fffffff);
    }
    var mean = ints[op.moments + i];
    var spread = ints[op.spreads + i];
    mean += rn(g - mean, min(warmth, 3));
    spread += rn(abs(g) - spread, min(warmth, 7));
    let k = u32(max(0, bitlen(bitcast<u32>(spread)) - 15));
    let u = clamp(clamp(mean >> k, -131071, 131071) * 4096 / ((spread >> k) + (16 >> k)), -32767, 32767);
    let rate = bitcast<i32>(atomicLoad(&state[S_LR20]));
    let limited = clamp(ints[op.out + i] - rn(u * rate, 4), -0x3fffff80, 0x3fffff80);
    let value = limited + ((sum + mean + spread) & 255) - 128;
    ints[op.moments + i] = mean;
    ints[op.spreads + i] = spread;
    ints[op.out + i] = value;
    if (!biases) { largest = bitcast<u32>(abs(value)); }
  }
  report(S_LARGEST + table[tensor + 4u], largest, index == 0u);
}
`

/**
 * The end of a step. Entry of an operation: kind, a, b, layer, bits of its window, readers of what it
 * writes, where their entries begin; an operation whose exponents are fixed has no readers.
 */
export const EXPONENT_ENTRY = 7
export const EXPONENTS_SHADER = `
fn following(current: i32, bits: i32, stat: u32) -> i32 {
  if (stat == 0u) { return current; }
  let wanted = clamp(bits - max(0, bitlen(stat) - 7), -${MAX_EXPONENT}, ${MAX_EXPONENT});
  if (wanted < current) { return wanted; }
  if (wanted > current) { return current + 1; }
  return current;
}

@compute @workgroup_size(${GROUP})
fn main(@builtin(local_invocation_index) i: u32) {
  var f = 0;
  var fe = 0;
  let entry = op.table + ${EXPONENT_ENTRY}u * i;
  let moves = i + 1u < op.count;
  if (moves) {
    f = following(at(S_F + i + 1u), sumBits(table[entry], table[entry + 1u], table[entry + 2u], table[entry + 3u], table[entry + 4u]), atomicLoad(&state[S_STAT + i]));
    var bits = -0x7fffffff;
    for (var r = 0u; r < table[entry + 5u]; r++) {
      bits = max(bits, readerBits(table[entry + 6u] + r * ${READER}u, i + 1u));
    }
    fe = following(at(S_FE + i), bits, atomicLoad(&state[S_ESTAT + i]));
  }
  storageBarrier();
  if (moves) {
    atomicStore(&state[S_F + i + 1u], bitcast<u32>(f));
    atomicStore(&state[S_FE + i], bitcast<u32>(fe));
    atomicStore(&state[S_STAT + i], 0u);
    atomicStore(&state[S_ESTAT + i], 0u);
  }
  if (i < op.rows) {
    let largest = atomicLoad(&state[S_LARGEST + i]);
    atomicStore(&state[S_SHIFT + i], bitcast<u32>(max(0, bitlen(largest) - 7)));
    atomicStore(&state[S_LARGEST + i], 0u);
  }
  if (i == 0u) { atomicAdd(&state[S_STEP], 1u); }
}
`

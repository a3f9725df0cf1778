/** Operations without products, errors of tensors that are not read by one product alone, and the norm's sums. */
import { GROUP, READER } from './layout.ts'

/** One thread makes four neighbours of the tensor that a pool, an addition or a norm writes. */
export const FORWARD_SHADER = `
fn pooled(row: u32, column: u32, base: u32) -> i32 {
  let outPlane = op.colHeight * op.colWidth;
  let n = column / outPlane;
  let p = column - n * outPlane;
  let top = (p / op.colWidth) * op.stride;
  let left = (p % op.colWidth) * op.stride;
  let origin = base + row * op.rowBytes + n * op.plane;
  var best = -128;
  var argument = 0u;
  var sum = 0;
  for (var dy = 0u; dy < op.kernel; dy++) {
    for (var dx = 0u; dx < op.kernel; dx++) {
      let place = (top + dy) * op.width + left + dx;
      let x = signedOf(origin + place);
      sum += x;
      if (x > best) {
        best = x;
        argument = place;
      }
    }
  }
  if (op.kind == AVERAGE_POOL) { return sum; }
  ints[op.argmax + row * op.cols + column] = bitcast<i32>(argument);
  return best;
}

@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let item = linear(id, groups, ${GROUP}u);
  var largest = 0u;
  if (item < op.items) {
    let slot = slotOf();
    let row = item / op.outWords;
    let word = item - row * op.outWords;
    let source = op.source + slot * op.sourceSlot;
    let bits = sumBits(op.kind, op.tensorA, op.tensorB, 0u, op.windowBits);
    var sums = vec4<i32>(0);
    if (op.kind == ADD) {
      let a = unpack(bytes[source + item]);
      let b = unpack(bytes[op.b + slot * op.bSlot + item]);
      sums = rn4(a, at(S_F + op.tensorA) - bits) + rn4(b, at(S_F + op.tensorB) - bits);
    } else if (op.kind == NORM) {
      let x = unpack(bytes[source + item]);
      for (var i = 0u; i < 4u; i++) {
        let n = (word * 4u + i) / op.plane;
        if (n < op.batch) { sums[i] = x[i] * ints[op.norm + 4u * n + 1u]; }
      }
    } else {
      for (var i = 0u; i < 4u; i++) {
        if (word * 4u + i < op.cols) { sums[i] = pooled(row, word * 4u + i, source * 4u); }
      }
    }
    largest = activate(row, word, sums, bits - at(S_F + op.index + 1u), slot);
  }
  report(S_STAT + op.index, largest, index == 0u);
}
`

/** Entries of a reader in the table; plan.ts writes them. */
const R = (place: number): string => `table[reader + ${place}u]`

/** One thread makes four neighbours of an error from what every operation that reads the tensor says. */
export const ERROR_SHADER = `
/** Errors of the windows that hold an element, or whose largest it is. */
fn unpooled(reader: u32, row: u32, column: u32) -> i32 {
  let kernel = ${R(5)};
  let stride = ${R(6)};
  let outHeight = ${R(7)};
  let outWidth = ${R(8)};
  let rowBytes = ${R(9)} * 4u;
  let outPlane = outHeight * outWidth;
  let n = column / op.plane;
  let p = column - n * op.plane;
  let y = p / op.width;
  let x = p - y * op.width;
  var sum = 0;
  var top = 0u;
  var left = 0u;
  if (y >= kernel) { top = (y - kernel) / stride + 1u; }
  if (x >= kernel) { left = (x - kernel) / stride + 1u; }
  let bottom = min(y / stride + 1u, outHeight);
  let right = min(x / stride + 1u, outWidth);
  for (var oy = top; oy < bottom; oy++) {
    for (var ox = left; ox < right; ox++) {
      let out = n * outPlane + oy * outWidth + ox;
      var mine = true;
      if (${R(0)} == MAX_POOL) { mine = ints[${R(10)} + row * ${R(11)} + out] == bitcast<i32>(p); }
      if (mine) { sum += signedOf(${R(4)} * 4u + row * rowBytes + out); }
    }
  }
  return sum;
}

fn said(reader: u32, row: u32, word: u32, item: u32) -> vec4<i32> {
  let kind = ${R(0)};
  var d = vec4<i32>(0);
  if (kind == ADD) { return unpack(bytes[${R(4)} + item]); }
  if (kind <= CONV || kind >= SCORES) {
    for (var i = 0u; i < 4u; i++) { d[i] = ints[${R(12)} + item * 4u + i]; }
    return d;
  }
  if (kind == NORM) {
    let e = unpack(bytes[${R(4)} + item]);
    let x = unpack(bytes[${R(13)} + item]);
    for (var i = 0u; i < 4u; i++) {
      let n = (word * 4u + i) / op.plane;
      if (n < op.batch) {
        let sample = ${R(14)} + 4u * n;
        d[i] = ints[sample + 1u] * rn(256 * e[i] - x[i] * ints[sample + 2u], 6);
      }
    }
    return d;
  }
  for (var i = 0u; i < 4u; i++) {
    if (word * 4u + i < op.cols) { d[i] = unpooled(reader, row, word * 4u + i); }
  }
  return d;
}

@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let item = linear(id, groups, ${GROUP}u);
  var largest = 0u;
  if (item < op.items) {
    let row = item / op.outWords;
    let word = item - row * op.outWords;
    var bits = readerBits(op.table, op.index + 1u);
    for (var i = 1u; i < op.count; i++) { bits = max(bits, readerBits(op.table + i * ${READER}u, op.index + 1u)); }
    var d = vec4<i32>(0);
    var trace = vec4<i32>(0);
    for (var i = 0u; i < op.count; i++) {
      let reader = op.table + i * ${READER}u;
      let one = said(reader, row, word, item);
      d += rn4(one, readerBits(reader, op.index + 1u) - bits);
      trace += one;
    }
    largest = roundError(row, word, d, trace, bits - at(S_FE + op.index), slotOf());
  }
  report(S_ESTAT + op.index, largest, index == 0u);
}
`

/**
 * One workgroup sums over one sample of a norm's input: forward Q, and from it the gain; backward
 * P, and from both c. |Q| and |P| are below 2^30. Kept per sample: Q, gain, c.
 */
export const NORM_SHADER = `
var<workgroup> total: atomic<i32>;

fn isqrt(n: u32) -> u32 {
  var root = 0u;
  // n < 2^22: eleven bits.
  for (var bit = 1024u; bit > 0u; bit >>= 1u) {
    let next = root | bit;
    if (next * next <= n) { root = next; }
  }
  return root;
}

@compute @workgroup_size(${GROUP})
fn main(@builtin(workgroup_id) sample: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let n = sample.x;
  if (index == 0u) { atomicStore(&total, 0); }
  workgroupBarrier();
  let source = (op.source + slotOf() * op.sourceSlot) * 4u;
  var sum = 0;
  for (var k = index; k < op.size; k += ${GROUP}u) {
    let c = k / op.plane;
    let place = c * op.rowBytes + n * op.plane + k - c * op.plane;
    let x = signedOf(source + place);
    if (op.kind == 0u) { sum += x * x; } else { sum += x * signedOf(op.b * 4u + place); }
  }
  atomicAdd(&total, sum);
  workgroupBarrier();
  if (index != 0u) { return; }
  let place = op.norm + 4u * n;
  sum = atomicLoad(&total);
  if (op.kind == 0u) {
    let rms = max(16u, isqrt(bitcast<u32>(sum) / op.size * 256u));
    ints[place] = sum;
    ints[place + 1u] = bitcast<i32>(262144u / rms);
  } else {
    let squares = ints[place];
    let shift = bitcast<u32>(max(0, bitlen(bitcast<u32>(squares)) - 22));
    let p = sum >> shift;
    let q = max(1, squares >> shift);
    let whole = p / q;
    ints[place + 2u] = whole * 256 + (p - whole * q) * 256 / q;
  }
}
`

/** Logits to probabilities, and in training to their error: a workgroup takes four samples, sixteen threads each. */
export const SOFTMAX_SHADER = `
var<workgroup> shared0: array<i32, ${GROUP}>;
var<workgroup> total: array<atomic<u32>, 4>;
var<workgroup> top: array<atomic<i32>, 4>;

/** What a class's logit is below the largest, in 256ths of a power of two. */
fn distance(largest: i32, z: i32) -> u32 {
  return (min(bitcast<u32>(largest - z), 20479u) * 23637u) >> 16u;
}
fn power(t: u32) -> u32 { return table[t & 255u] >> (t >> 8u); }

@compute @workgroup_size(${GROUP})
fn main(@builtin(workgroup_id) block: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let slot = slotOf();
  let lane = index / 4u;
  let sample = index % 4u;
  let n = block.x * 4u + sample;
  let exists = n < op.batch;
  let origin = op.source + min(n, op.batch - 1u);
  let shift = sumBits(DENSE, op.tensorA, 0u, op.layer, 0u) - 10;
  if (lane == 0u) {
    atomicStore(&top[sample], bitcast<i32>(0x80000000u));
    atomicStore(&total[sample], 0u);
  }
  workgroupBarrier();
  for (var j = lane; j < op.rows; j += 16u) { atomicMax(&top[sample], rn(ints[origin + j * op.batch], shift)); }
  workgroupBarrier();
  let largest = atomicLoad(&top[sample]);
  for (var j = lane; j < op.rows; j += 16u) { atomicAdd(&total[sample], power(distance(largest, rn(ints[origin + j * op.batch], shift)))); }
  workgroupBarrier();
  let sum = atomicLoad(&total[sample]);
  if (op.noisy == 0u && exists && lane == 0u) { ints[op.sums + n] = bitcast<i32>(sum); }
  var label = 0u;
  if (exists) { label = byteOf(op.labels * 4u + slot * op.batch + n); }
  for (var first = 0u; first < op.rows; first += 16u) {
    let j = first + lane;
    var e = 0;
    if (j < op.rows && exists) {
      let logit = ints[origin + j * op.batch];
      let t = distance(largest, rn(logit, shift));
      let p = bitcast<i32>(power(t) * 32767u / sum);
      if (op.noisy == 0u) {
        ints[op.distances + n * op.rows + j] = bitcast<i32>(t);
        ints[op.probabilities + n * op.rows + j] = p;
      } else {
        let d = p - select(0, 32767, label == j);
        let noise = byteOf((op.noise + slot * op.blocks * 16u) * 4u + j * op.batch + n);
        let r = vec4<i32>((bitcast<i32>(noise) + logit) & 255);
        e = limit(limit(dithered(vec4<i32>(d), 8, vec4<i32>(255) - r), 127) + ternary(r), 127).x;
      }
    }
    workgroupBarrier();
    shared0[index] = e;
    workgroupBarrier();
    if (op.noisy == 1u && sample == 0u && j < op.rows) {
      bytes[op.out + j * op.outWords + block.x] = pack(vec4<i32>(shared0[index], shared0[index + 1u], shared0[index + 2u], shared0[index + 3u]));
    }
  }
}
`

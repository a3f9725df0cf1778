/**
 * Sums of products of int8: dense layers and convolutions forward, their errors backward, and the
 * gradients. One workgroup computes TILE x TILE sums, each of its 64 threads 4 x 4 of them, from
 * words that hold four neighbours of the sum. K <= 4,096 products of +-127 are below 2^26, and a
 * gradient's 131,072 below 2^31 (docs/exact.md, section 7); order does not matter to integers.
 *
 * A convolution is a product with gathered columns: a term of the sum has an entry in the table (its
 * channel's offset, and what it adds to the column's position), a column has a position in the tensor
 * read. A dense layer is a convolution whose window is the whole input.
 */
import { TILE_WORDS } from './layout.ts'

const GATHER = `
/** Of four neighbouring columns: where their sample begins, and their position times the stride. */
var<private> sampleAt: vec4<i32>;
var<private> rowAt: vec4<i32>;
var<private> columnAt: vec4<i32>;

fn locate(column: u32) {
  let m = vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u);
  let plane = op.colHeight * op.colWidth;
  let n = m / plane;
  let p = m - n * plane;
  let y = p / op.colWidth;
  let x = p - y * op.colWidth;
  sampleAt = vec4<i32>(n * op.sourcePlane);
  rowAt = select(vec4<i32>(-1048576), vec4<i32>(y * op.colMul), m < vec4<u32>(op.cols));
  columnAt = vec4<i32>(x * op.colMul);
}

/** The same where the four stand side by side in the tensor read: those outside of it become 0. */
fn run(base: i32, dy: i32, dx: i32) -> u32 {
  let y = rowAt.x + dy;
  let x = columnAt.x + dx;
  let width = i32(op.sourceWidth);
  if (y < 0 || y >= i32(op.sourceHeight) || x <= -4 || x >= width) { return 0u; }
  // Never before the buffer: the noise stands first in it.
  var w = bytesFrom(bitcast<u32>(base + sampleAt.x + y * width + x));
  if (x < 0) { w &= 0xffffffffu << bitcast<u32>(-8 * x); }
  if (x + 4 > width) { w &= 0xffffffffu >> bitcast<u32>(8 * (x + 4 - width)); }
  return w;
}

/** The word of term r's values at the columns located last, base being a byte. */
fn gather(r: u32, base: u32) -> u32 {
  let entry = op.taps + 2u * r;
  let offset = table[entry + 1u];
  if (op.flat == 2u) { return run(i32(base + table[entry]), bitcast<i32>(offset) >> 16u, bitcast<i32>(offset << 16u) >> 16u); }
  var y = rowAt + vec4<i32>(bitcast<i32>(offset) >> 16u);
  var x = columnAt + vec4<i32>(bitcast<i32>(offset << 16u) >> 16u);
  var inside = (y >= vec4<i32>(0)) & (x >= vec4<i32>(0));
  if (op.sourceDiv > 1u) {
    let by = vec4<u32>(op.sourceDiv);
    let wholeY = bitcast<vec4<u32>>(y) / by;
    let wholeX = bitcast<vec4<u32>>(x) / by;
    inside = inside & (wholeY * by == bitcast<vec4<u32>>(y)) & (wholeX * by == bitcast<vec4<u32>>(x));
    y = bitcast<vec4<i32>>(wholeY);
    x = bitcast<vec4<i32>>(wholeX);
  }
  inside = inside & (y < vec4<i32>(i32(op.sourceHeight))) & (x < vec4<i32>(i32(op.sourceWidth)));
  let origin = vec4<i32>(i32(base + table[entry])) + sampleAt + y * i32(op.sourceWidth) + x;
  let place = bitcast<vec4<u32>>(select(vec4<i32>(0), origin, inside));
  let mask = select(vec4<u32>(0u), vec4<u32>(255u), inside);
  return (byteOf(place.x) & mask.x) | ((byteOf(place.y) & mask.y) << 8u) | ((byteOf(place.z) & mask.z) << 16u) | ((byteOf(place.w) & mask.w) << 24u);
}

/** Where the tensor read begins, in words; tensor 0 has a place for every step under way. */
fn sourceOf(slot: u32, group: u32) -> u32 { return op.source + slot * op.sourceSlot + group * op.groupSource; }
`

const MULTIPLY = `
var<workgroup> left: array<vec4<u32>, ${TILE_WORDS * 8}>;

/** A word of the sum of four rows of A; beyond the last row or word there is 0. */
fn leftTile(row: u32, word: u32, base: u32) -> vec4<u32> {
  var w = vec4<u32>(0u);
  if (word < op.aWords) {
    for (var i = 0u; i < 4u; i++) {
      if (row + i < op.rows) { w[i] = bytes[base + (row + i) * op.aWords + word]; }
    }
  }
  return w;
}

fn dots(a: u32, b: vec4<u32>) -> vec4<i32> { return vec4<i32>(dot4(a, b.x), dot4(a, b.y), dot4(a, b.z), dot4(a, b.w)); }
`

export type Outcome = 'activation' | 'error' | 'raw'

/** What is done with four sums of a row; the bounds have been checked. */
const FINISH: Readonly<Record<Outcome, string>> = {
  activation: 'largest = max(largest, activate(outRow, word, sums, shift, slot));',
  error: 'largest = max(largest, roundError(outRow, word, sums, sums, shift, slot));',
  raw: `
    for (var i = 0u; i < 4u; i++) {
      let column = word * 4u + i;
      if (column < op.cols) {
        ints[op.out + (outRow / op.rawPlane) * op.rawStride + column * op.rawPlane + outRow % op.rawPlane] = sums[i];
      }
    }`
}

const SHIFT: Readonly<Record<Outcome, string>> = {
  activation: 'sumBits(op.kind, op.tensorA, 0u, op.layer, 0u) - at(S_F + op.index + 1u)',
  // d = fe of the reader + fw; the tensor's own error is op.index.
  error: 'at(S_FE + op.tensorB) + 28 - at(S_SHIFT + op.layer) - at(S_FE + op.index)',
  raw: '0'
}

export const productShader = (outcome: Outcome): string => `
${GATHER}
${MULTIPLY}
var<workgroup> right: array<vec4<u32>, ${TILE_WORDS * 8}>;

fn rightTile(word: u32, base: u32, column: u32) -> vec4<u32> {
  let r = word * 4u;
  var w: vec4<u32>;
  for (var i = 0u; i < 4u; i++) {
    w[i] = 0u;
    if (r + i < op.terms) {
      if (op.flat == 1u) {
        if (column < op.cols) { w[i] = bytes[base + (table[op.taps + 2u * (r + i)] + column) / 4u]; }
      } else { w[i] = gather(r + i, base * 4u); }
    }
  }
  // From four terms of neighbouring columns to four columns of neighbouring terms.
  let even = vec4<u32>(0x00ff00ffu);
  let low = (w & even) | ((w.yxwz & even) << vec4<u32>(8u));
  let high = ((w >> vec4<u32>(8u)) & even) | (w.yxwz & vec4<u32>(0xff00ff00u));
  return vec4<u32>((low.x & 0xffffu) | (low.z << 16u), (high.x & 0xffffu) | (high.z << 16u), (low.x >> 16u) | (low.z & 0xffff0000u), (high.x >> 16u) | (high.z & 0xffff0000u));
}

fn finish(row: u32, word: u32, products: vec4<i32>, group: u32, biasShift: i32, shift: i32, slot: u32) -> u32 {
  var largest = 0u;
  if (row < op.rows && word * 4u < op.cols) {
    let outRow = group * op.rows + row;
    var sums = products;
    if (op.hasBias == 1u) { sums += vec4<i32>(rn(ints[op.bias + outRow], biasShift)); }
    ${FINISH[outcome]}
  }
  return largest;
}

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) index: u32, @builtin(workgroup_id) tile: vec3<u32>) {
  let slot = slotOf();
  let group = tile.z;
  let firstRow = tile.y * 32u;
  let column = (tile.x + op.tileX) * 32u + id.x * 4u;
  let base = sourceOf(slot, group);
  let rowsBase = op.a + group * op.rows * op.aWords;
  locate(column);
  var s0 = vec4<i32>(0);
  var s1 = vec4<i32>(0);
  var s2 = vec4<i32>(0);
  var s3 = vec4<i32>(0);
  for (var first = 0u; first < op.aWords; first += ${TILE_WORDS}u) {
    workgroupBarrier();
    left[index] = leftTile(firstRow + index / ${TILE_WORDS}u * 4u, first + index % ${TILE_WORDS}u, rowsBase);
    right[index] = rightTile(first + id.y, base, column);
    workgroupBarrier();
    let words = min(${TILE_WORDS}u, op.aWords - first);
    for (var w = 0u; w < words; w++) {
      let a = left[id.y * ${TILE_WORDS}u + w];
      let b = right[w * 8u + id.x];
      s0 += dots(a.x, b);
      s1 += dots(a.y, b);
      s2 += dots(a.z, b);
      s3 += dots(a.w, b);
    }
  }
  var biasShift = 0;
  if (op.hasBias == 1u) { biasShift = 28 - sumBits(op.kind, op.tensorA, 0u, op.layer, 0u); }
  let shift = ${SHIFT[outcome]};
  let row = firstRow + id.y * 4u;
  let word = column / 4u;
  // A loop, because its body is long to compile.
  var four = array<vec4<i32>, 4>(s0, s1, s2, s3);
  var largest = 0u;
  for (var i = 0u; i < 4u; i++) { largest = max(largest, finish(row + i, word, four[i], group, biasShift, shift, slot)); }
  ${outcome === 'raw' ? '_ = largest;' : `report(${outcome === 'activation' ? 'S_STAT' : 'S_ESTAT'} + op.index, largest, index == 0u);`}
}
`

/**
 * G = sum of e * x over samples and positions: rows are units, columns the terms of a unit's sum, and
 * one more of ones for the bias. The sum may be split over several workgroups: atomics add it up.
 */
export const GRADIENT_SHADER = `
${GATHER}
${MULTIPLY}
const PITCH = ${TILE_WORDS + 1}u;
var<workgroup> right: array<vec4<u32>, ${(TILE_WORDS + 1) * 8}>;

fn values(k: u32, base: u32, word: u32) -> vec4<u32> {
  var w = vec4<u32>(0u);
  if (word < op.aWords) {
    for (var i = 0u; i < 4u; i++) {
      // The errors of columns that do not exist are 0: what stands here does not matter then.
      if (k + i == op.kernelTerms) { w[i] = 0x01010101u; }
      if (k + i < op.kernelTerms) {
        if (op.flat == 1u) { w[i] = bytes[base + table[op.taps + 2u * (k + i)] / 4u + word]; } else { w[i] = gather(k + i, base * 4u); }
      }
    }
  }
  return w;
}

fn add(row: u32, k: u32, sums: vec4<i32>, group: u32) {
  if (row >= op.rows) { return; }
  let unit = group * op.rows + row;
  for (var i = 0u; i < 4u; i++) {
    if (k + i < op.kernelTerms) { atomicAdd(&grads[op.grad + unit * op.kernelTerms + k + i], sums[i]); }
    if (k + i == op.kernelTerms) { atomicAdd(&grads[op.biasGrad + unit], sums[i]); }
  }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) index: u32, @builtin(workgroup_id) tile: vec3<u32>) {
  let slot = slotOf();
  let group = tile.z / op.splits;
  let start = (tile.z % op.splits) * op.splitWords;
  let end = min(start + op.splitWords, op.aWords);
  let firstRow = tile.y * 32u;
  let firstColumn = (tile.x + op.tileX) * 32u;
  let base = sourceOf(slot, group);
  let rowsBase = op.a + group * op.rows * op.aWords;
  var s0 = vec4<i32>(0);
  var s1 = vec4<i32>(0);
  var s2 = vec4<i32>(0);
  var s3 = vec4<i32>(0);
  for (var first = start; first < end; first += ${TILE_WORDS}u) {
    workgroupBarrier();
    let word = index % ${TILE_WORDS}u;
    if (op.flat != 1u) { locate((first + word) * 4u); }
    let block = index / ${TILE_WORDS}u;
    left[index] = leftTile(firstRow + block * 4u, first + word, rowsBase);
    right[block * PITCH + word] = values(firstColumn + block * 4u, base, first + word);
    workgroupBarrier();
    let words = min(${TILE_WORDS}u, end - first);
    for (var w = 0u; w < words; w++) {
      let a = left[id.y * ${TILE_WORDS}u + w];
      let b = right[id.x * PITCH + w];
      s0 += dots(a.x, b);
      s1 += dots(a.y, b);
      s2 += dots(a.z, b);
      s3 += dots(a.w, b);
    }
  }
  let row = firstRow + id.y * 4u;
  let k = firstColumn + id.x * 4u;
  var four = array<vec4<i32>, 4>(s0, s1, s2, s3);
  for (var i = 0u; i < 4u; i++) { add(row + i, k, four[i], group); }
}
`

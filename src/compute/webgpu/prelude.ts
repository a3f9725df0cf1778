/** What every shader starts with: bindings and the scalar operations of docs/exact.md, section 1. */
import { OP_FIELDS, S_ESTAT, S_F, S_FE, S_KEY, S_LARGEST, S_LR20, S_SHIFT, S_STAT, S_STEP } from './layout.ts'

/** Four products of signed bytes. The plain form is for devices without the instruction; the same bits. */
const DOT = {
  packed: 'fn dot4(a: u32, b: u32) -> i32 { return dot4I8Packed(a, b); }',
  plain: `fn dot4(a: u32, b: u32) -> i32 {
  let x = unpack(a);
  let y = unpack(b);
  return x.x * y.x + x.y * y.y + x.z * y.z + x.w * y.w;
}`
} as const

export type DotPath = keyof typeof DOT

export const prelude = (dot: DotPath): string => `
struct Op { ${OP_FIELDS.map(name => `${name}: u32,`).join(' ')} }
@group(0) @binding(0) var<uniform> op: Op;
@group(0) @binding(1) var<storage, read_write> bytes: array<u32>;
@group(0) @binding(2) var<storage, read_write> ints: array<i32>;
@group(0) @binding(3) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> grads: array<atomic<i32>>;
@group(0) @binding(5) var<storage, read> table: array<u32>;

const S_STEP = ${S_STEP}u;
const S_LR20 = ${S_LR20}u;
const S_KEY = ${S_KEY}u;
const S_F = ${S_F}u;
const S_FE = ${S_FE}u;
const S_STAT = ${S_STAT}u;
const S_ESTAT = ${S_ESTAT}u;
const S_SHIFT = ${S_SHIFT}u;
const S_LARGEST = ${S_LARGEST}u;
const DENSE = 0u;
const CONV = 1u;
const MAX_POOL = 2u;
const AVERAGE_POOL = 3u;
const ADD = 4u;
const NORM = 5u;
const SCORES = 6u;
const SOFTMAX = 7u;
const APPLY = 8u;

fn at(place: u32) -> i32 { return bitcast<i32>(atomicLoad(&state[place])); }
fn slotOf() -> u32 { return atomicLoad(&state[S_STEP]) % op.slots; }
fn bitlen(m: u32) -> i32 { return 32 - i32(countLeadingZeros(m)); }

fn unpack(w: u32) -> vec4<i32> {
  return bitcast<vec4<i32>>(vec4<u32>(w << 24u, w << 16u, w << 8u, w)) >> vec4<u32>(24u);
}
fn unpackBytes(w: u32) -> vec4<i32> {
  return bitcast<vec4<i32>>((vec4<u32>(w) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u));
}
fn pack(v: vec4<i32>) -> u32 {
  let b = bitcast<vec4<u32>>(v) & vec4<u32>(255u);
  return b.x | (b.y << 8u) | (b.z << 16u) | (b.w << 24u);
}
fn byteOf(place: u32) -> u32 { return (bytes[place >> 2u] >> ((place & 3u) * 8u)) & 255u; }
fn signedOf(place: u32) -> i32 { return bitcast<i32>(bytes[place >> 2u] << (24u - (place & 3u) * 8u)) >> 24u; }
/** Bytes place..place + 3. */
fn bytesFrom(place: u32) -> u32 {
  let shift = (place & 3u) * 8u;
  let low = bytes[place >> 2u];
  if (shift == 0u) { return low; }
  return (low >> shift) | (bytes[(place >> 2u) + 1u] << (32u - shift));
}
/** 1 where the column exists. */
fn present(column: u32, columns: u32) -> vec4<i32> {
  return select(vec4<i32>(0), vec4<i32>(1), vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(columns));
}

fn limit(v: vec4<i32>, m: i32) -> vec4<i32> { return clamp(v, vec4<i32>(-m), vec4<i32>(m)); }
fn rn(x: i32, s: i32) -> i32 {
  if (s <= 0) { return x << u32(min(31, -s)); }
  let t = u32(min(s, 31));
  return (x >> t) + ((x >> (t - 1u)) & 1);
}
fn rn4(x: vec4<i32>, s: i32) -> vec4<i32> {
  if (s <= 0) { return x << vec4<u32>(u32(min(31, -s))); }
  let t = u32(min(s, 31));
  return (x >> vec4<u32>(t)) + ((x >> vec4<u32>(t - 1u)) & vec4<i32>(1));
}
fn dithered(x: vec4<i32>, s: i32, r: vec4<i32>) -> vec4<i32> {
  if (s <= 0) { return x << vec4<u32>(u32(min(31, -s))); }
  let t = u32(min(s, 31));
  let odd = bitcast<vec4<u32>>(r) * 2u + vec4<u32>(1u);
  var d: vec4<u32>;
  if (t >= 9u) { d = odd << vec4<u32>(t - 9u); } else { d = odd >> vec4<u32>(9u - t); }
  let part = bitcast<vec4<u32>>(x) & vec4<u32>((1u << t) - 1u);
  return (x >> vec4<u32>(t)) + bitcast<vec4<i32>>((part + d) >> vec4<u32>(t));
}
fn ternary(byte: vec4<i32>) -> vec4<i32> {
  return select(vec4<i32>(0), vec4<i32>(1), byte > vec4<i32>(170)) - select(vec4<i32>(0), vec4<i32>(1), byte < vec4<i32>(85));
}
fn largestOf(v: vec4<i32>) -> u32 {
  let m = bitcast<vec4<u32>>(abs(v));
  return max(max(m.x, m.y), max(m.z, m.w));
}
/** fa of an operation (section 4.3). */
fn sumBits(kind: u32, a: u32, b: u32, layer: u32, windowBits: u32) -> i32 {
  let f = at(S_F + a);
  if (kind <= CONV) { return f + 28 - at(S_SHIFT + layer); }
  if (kind == AVERAGE_POOL) { return f + i32(windowBits); }
  if (kind == ADD) { return max(f, at(S_F + b)); }
  if (kind == NORM) { return 14; }
  if (kind == SCORES || kind == APPLY) { return f + at(S_F + b); }
  if (kind == SOFTMAX) { return 15; }
  return f;
}
/** d of a reader of a tensor (section 4.5): its entry in the table, as plan.ts writes it. */
fn readerBits(reader: u32, tensor: u32) -> i32 {
  let kind = table[reader];
  let i = table[reader + 1u];
  let fe = at(S_FE + i);
  if (kind <= CONV) { return fe + 28 - at(S_SHIFT + table[reader + 2u]); }
  if (kind == AVERAGE_POOL) { return fe + i32(table[reader + 3u]); }
  if (kind == NORM) { return fe + 16 - at(S_F + tensor); }
  if (kind == SCORES || kind == APPLY) { return fe + at(S_F + table[reader + 2u]); }
  if (kind == SOFTMAX) { return fe + 2 * at(S_F + i + 1u) + i32(table[reader + 3u]); }
  return fe;
}
${DOT[dot]}
`

/** The number of a thread in a grid that may be wrapped into several rows. */
export const LINEAR = `
fn linear(id: vec3<u32>, groups: vec3<u32>, size: u32) -> u32 { return id.x + id.y * groups.x * size; }
`

/** A workgroup's largest magnitude, one atomic on the state at the end. */
export const LARGEST = `
var<workgroup> groupLargest: atomic<u32>;
/** Called by every thread of the group, with control flow uniform. */
fn report(place: u32, value: u32, first: bool) {
  if (first) { atomicStore(&groupLargest, 0u); }
  workgroupBarrier();
  atomicMax(&groupLargest, value);
  workgroupBarrier();
  if (first) { atomicMax(&state[place], atomicLoad(&groupLargest)); }
}
`

/** How sums become four neighbours of a tensor, and how an error's do (4.4, 4.5). */
export const EPILOGUES = `
/** Row, word of the row, sums. Returns the statistic. */
fn activate(row: u32, word: u32, sums: vec4<i32>, shift: i32, slot: u32) -> u32 {
  let there = present(word * 4u, op.cols);
  var seen = sums;
  if (op.relu == 1u) { seen = max(sums, vec4<i32>(0)); }
  let q = limit(rn4(seen, shift), 127);
  var y = q;
  if (op.noisy == 1u) {
    let noise = unpackBytes(bytesFrom((op.noise + slot * op.blocks * 16u) * 4u + row * op.cols + word * 4u));
    y = limit(q + ternary((noise + sums) & vec4<i32>(255)), 127);
  }
  bytes[op.out + row * op.outWords + word] = pack(y * there);
  if (op.relu == 1u) {
    bytes[op.alive + row * op.outWords + word] = pack(select(vec4<i32>(0), vec4<i32>(255), q > vec4<i32>(0)));
  }
  return largestOf(seen * there);
}

/** D, its trace, shift = d - fe. Returns the statistic. */
fn roundError(row: u32, word: u32, d: vec4<i32>, trace: vec4<i32>, shift: i32, slot: u32) -> u32 {
  let there = present(word * 4u, op.cols);
  var value = d;
  if (op.relu == 1u) {
    value = select(vec4<i32>(0), d, unpackBytes(bytes[op.alive + row * op.outWords + word]) != vec4<i32>(0));
  }
  let noise = unpackBytes(bytesFrom((op.noise + slot * op.blocks * 16u) * 4u + row * op.cols + word * 4u));
  let byte = (noise + trace) & vec4<i32>(255);
  let e = limit(limit(dithered(value, shift, vec4<i32>(255) - byte), 127) + ternary(byte), 127);
  bytes[op.out + row * op.outWords + word] = pack(e * there);
  return largestOf(value * there);
}
`

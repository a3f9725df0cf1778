/** What travels of models and data: payloads, states, packed records and their proofs, ledgers. */
import { DATA_REGISTERED, type DataRef } from '../../../src/core/codec/jobSpec.ts'
import { hash } from '../../../src/core/crypto/hash.ts'
import { merkleLevels, rangeProofFromLevels, verifyRange } from '../../../src/core/crypto/merkle.ts'
import { decodeLedger, decodeOutline, encodeLedger, encodeOutline, isConserved, ledgerRoot, outlineOf, outlineRoot } from '../../../src/core/ledger/state.ts'
import { chunkCount, packChunk, readRecords, newDataset, unpackChunk, recordBytes } from '../../../src/core/training/dataset.ts'
import { decodeDataFile, encodeDataFile, fileSizes } from '../../../src/core/training/datasetFile.ts'
import { MAX_DATASET_BYTES } from '../../../src/core/params.ts'
import { initialState } from '../../../src/core/training/init.ts'
import type { ModelState } from '../../../src/core/training/modelState.ts'
import { decodePayload, encodePayload, mergePayloads, type Payload } from '../../../src/core/training/payload.ts'
import { decodeState, stateBytes } from '../../../src/core/training/stateHash.ts'
import { packZeros, unpackZeros } from '../../../src/core/training/zeroRuns.ts'
import { sampleChain } from '../sampleChain.ts'
import { encodeSnapshotFile, readSnapshotFile } from '../../../src/node/ledgerSnapshot.ts'
import type { Rng } from '../random.ts'
import { ACCEPTED, must, sameBytes, type Target } from '../target.ts'
import { TINY_SPEC } from '../tinyModel.ts'
import { finish } from '../../support/finish.ts'

const START = initialState(TINY_SPEC)
const LR20 = 4096

function moved (rng: Rng, by: number): ModelState {
  const change = (t: Int32Array): Int32Array => t.map(x => x + rng.below(2 * by + 1) - by)
  return {
    weights: START.weights.map(change),
    biases: START.biases.map(change),
    activationExponents: START.activationExponents.map(() => rng.below(40)),
    errorExponents: START.errorExponents.map(() => rng.below(40) - 20)
  }
}

/** The state whose difference to `START` is what the payload says. */
function after (payload: Payload): ModelState {
  const change = (t: Int32Array, i: number): Int32Array => t.map((x, k) => x + payload.tensors[i].values[k] * 2 ** payload.tensors[i].shift)
  return {
    weights: START.weights.map((t, l) => change(t, 2 * l)),
    biases: START.biases.map((t, l) => change(t, 2 * l + 1)),
    activationExponents: payload.activationExponents,
    errorExponents: payload.errorExponents
  }
}

const payload: Target = {
  name: 'training/payload',
  max: 256,
  covers: ['src/core/training/payload.ts#decodePayload'],
  seeds: rng => [1, 100, 5_000, 30_000].map(by => encodePayload(START, moved(rng, by))),
  fresh: rng => encodePayload(START, moved(rng, 1 << rng.below(15))),
  run: input => {
    const d = decodePayload(TINY_SPEC, LR20, input)
    if (!d.ok) return d.error.reason
    must(sameBytes(encodePayload(START, after(d.value)), input), 'a payload encodes otherwise')
    const merged = mergePayloads(START, [d.value, d.value])
    must(decodeState(TINY_SPEC, stateBytes(merged)).ok, 'a merged state is out of bounds')
    return ACCEPTED
  }
}

const state: Target = {
  name: 'training/state',
  max: 512,
  covers: ['src/core/training/stateHash.ts#decodeState'],
  seeds: rng => [stateBytes(START), stateBytes(moved(rng, 1 << 20))],
  run: input => {
    const d = decodeState(TINY_SPEC, input)
    if (!d.ok) return d.error.reason
    must(sameBytes(stateBytes(d.value), input), 'a state encodes otherwise')
    return ACCEPTED
  }
}

const zeroRuns: Target = {
  name: 'training/zero-runs',
  max: 1024,
  covers: ['src/core/training/zeroRuns.ts#unpackZeros'],
  seeds: () => [0, 1, 3, 130, 600].map(n => Uint8Array.of(n & 255, n >> 8, ...packZeros(Uint8Array.from({ length: n }, (_, i) => i % 7 < 4 ? 0 : i)))),
  run: input => {
    if (input.length < 2) return 'short'
    // Two bytes say how much is expected, as the reference of a data set does.
    const size = (input[0] | (input[1] << 8)) & 0x3ff
    const packed = input.subarray(2)
    const bytes = unpackZeros(packed, size)
    if (bytes === undefined) return 'refused'
    must(bytes.length === size && sameBytes(packZeros(bytes), packed), 'packed bytes have two forms')
    return ACCEPTED
  }
}

/** Records of 5 bytes: few enough that a chunk holds all of them. */
const DATA = newDataset({ features: Uint8Array.from({ length: 36 }, (_, i) => i % 3 === 0 ? i : 0), labels: Uint8Array.from({ length: 9 }, (_, i) => i % 3), trainRecords: 6, classes: 3 })
const REF: DataRef = { ...DATA.ref, source: DATA_REGISTERED }

const chunk: Target = {
  name: 'training/chunk',
  max: 128,
  covers: ['src/core/training/dataset.ts#unpackChunk', 'src/core/training/dataset.ts#readRecords'],
  seeds: () => [packChunk(DATA, 0)],
  run: input => {
    const records = unpackChunk(REF, 0, input)
    if (records === undefined) return 'not packed so'
    must(records.length === 9 * recordBytes(REF), 'a chunk of another size')
    const batch = readRecords(REF, records)
    if (batch === undefined) return 'no such class'
    const { inputs, labels } = batch
    must(inputs.length === 9 * REF.features && labels.every(l => l < REF.classes), 'a record is of no class')
    return ACCEPTED
  }
}

/** Two chunks, and one. */
const FILES = [[70, 4096], [9, 6]].map(([records, features]) => {
  const made = newDataset({ features: Uint8Array.from({ length: records * features }, (_, i) => i % 5 < 3 ? 0 : i), labels: new Uint8Array(records), trainRecords: records - 1, classes: 2 })
  return { root: made.ref.root, records, features, chunks: made.chunkRoots!.map((_, i) => packChunk(made, i)) }
})
const inOne = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap(part => [...part]))

const dataFile: Target = {
  name: 'training/data-file',
  max: 1024,
  covers: ['src/core/training/datasetFile.ts#decodeDataFile'],
  // The large one is of more bytes than an input has: its chunks are cut to what their lengths can say.
  seeds: () => FILES.map(f => inOne(encodeDataFile({ ...f, chunks: f.chunks.map(c => c.subarray(0, 200)) }))),
  run: input => {
    const d = decodeDataFile(input)
    if (!d.ok) return d.error.reason
    const { records, features, chunks } = d.value
    must(sameBytes(inOne(encodeDataFile(d.value)), input), 'a file is written otherwise')
    must(records * features <= MAX_DATASET_BYTES && chunks.length === chunkCount(fileSizes(d.value)), 'a file of another size')
    return ACCEPTED
  }
}

const LEAVES_MAX = 8
const LEAVES = Array.from({ length: LEAVES_MAX }, (_, i) => hash('fuzz-leaf', Uint8Array.of(i)))
const TREES = Array.from({ length: LEAVES_MAX }, (_, i) => merkleLevels(LEAVES.slice(0, i + 1)))

/** total, first, count, and then the siblings. */
const proof: Target = {
  name: 'training/range-proof',
  max: 256,
  covers: ['src/core/crypto/merkle.ts#verifyRange'],
  seeds: () => TREES.flatMap((tree, i) => [[0, 1], [i >> 1, 1], [0, i + 1], [i, 1]].map(([first, count]) => {
    const siblings = rangeProofFromLevels(tree, first, count)
    const out = new Uint8Array(3 + 32 * siblings.length)
    out.set([i + 1, first, count])
    siblings.forEach((s, k) => { out.set(s, 3 + 32 * k) })
    return out
  })),
  run: input => {
    if (input.length < 3 || (input.length - 3) % 32 !== 0) return 'no whole siblings'
    const total = 1 + (input[0] - 1 & (LEAVES_MAX - 1))
    const first = input[1] % 12
    const leaves = LEAVES.slice(first, first + input[2] % 12)
    const siblings = Array.from({ length: (input.length - 3) / 32 }, (_, i) => input.subarray(3 + 32 * i, 35 + 32 * i))
    const tree = TREES[total - 1]
    const right = verifyRange(tree[tree.length - 1][0], total, first, leaves, siblings)
    if (!right) return 'refused'
    const want = rangeProofFromLevels(tree, first, leaves.length)
    must(want.length === siblings.length && want.every((s, i) => sameBytes(s, siblings[i])), 'a range has two proofs')
    // One leaf of it changed is no longer proved.
    const forged = leaves.map((leaf, i) => i === 0 ? leaf.map(b => b ^ 1) : leaf)
    must(!verifyRange(tree[tree.length - 1][0], total, first, forged, siblings), 'a wrong leaf is proved')
    return ACCEPTED
  }
}

const ledger: Target = {
  name: 'ledger/snapshot',
  max: 8 * 1024,
  covers: ['src/core/ledger/state.ts#decodeLedger', 'src/core/codec/ssz.ts#decode LedgerBytes'],
  seeds: () => sampleChain().ledgers.map(encodeLedger),
  run: input => {
    const d = decodeLedger(input)
    if (!d.ok) return d.error.detail === 'grains do not add up' ? 'not conserved' : d.error.reason
    must(sameBytes(encodeLedger(d.value), input), 'a ledger encodes otherwise')
    must(isConserved(d.value), 'grains do not add up')
    ledgerRoot(d.value)
    return ACCEPTED
  }
}

const outline: Target = {
  name: 'ledger/outline',
  max: 4 * 1024,
  covers: ['src/core/ledger/state.ts#decodeOutline', 'src/core/codec/ssz.ts#decode OutlineBytes'],
  seeds: () => sampleChain().ledgers.map(l => encodeOutline(outlineOf(l))),
  run: input => {
    const d = decodeOutline(input)
    if (!d.ok) return d.error.reason
    must(sameBytes(encodeOutline(d.value), input), 'an outline encodes otherwise')
    outlineRoot(d.value)
    return ACCEPTED
  }
}

const snapshotFile: Target = {
  name: 'ledger/snapshot-file',
  max: 16 * 1024,
  covers: ['src/core/codec/ssz.ts#decode SnapshotFile'],
  seeds: () => {
    const { tip } = sampleChain()
    return [encodeSnapshotFile(tip, 1)!, encodeSnapshotFile(tip, 3)!]
  },
  run: input => {
    const { kit, tip } = sampleChain()
    const r = finish(readSnapshotFile(input, tip, 3, kit.genesis.ledger))
    if (!r.ok) return r.reason
    must(sameBytes(ledgerRoot(r.ledgers[0]), tip.header.template.stateRoot), 'another ledger is taken')
    must(sameBytes(encodeSnapshotFile(tip, 3)!, input), 'another file is taken')
    return ACCEPTED
  }
}

export const trainingTargets: readonly Target[] = [payload, state, zeroRuns, chunk, dataFile, proof, ledger, outline, snapshotFile]

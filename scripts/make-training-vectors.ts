/**
 * Computes the golden values of core/training and, run as a program, writes them to
 * tests/vectors/training.json. A change of any of them is a change of the protocol.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { encodeJobSpec, type JobSpec } from '../src/core/codec/jobSpec.ts'
import { toHex } from '../src/core/codec/ssz.ts'
import { hash } from '../src/core/crypto/hash.ts'
import { specHash } from '../src/core/crypto/ids.ts'
import { merkleRoot } from '../src/core/crypto/merkle.ts'
import { benchmarkId, benchmarkSpec } from '../src/core/training/benchmark.ts'
import { builtinDataset, recordsOf } from '../src/core/training/dataset.ts'
import { initialState } from '../src/core/training/init.ts'
import { parseJobJson, toSpec } from '../src/core/training/jobJson.ts'
import type { ModelState } from '../src/core/training/modelState.ts'
import { decodePayload, encodePayload, mergePayloads, payloadDigest } from '../src/core/training/payload.ts'
import { batchIndices, batchKey } from '../src/core/training/sampling.ts'
import { mlp } from '../src/core/training/shape.ts'
import { stateHash } from '../src/core/training/stateHash.ts'

/** PoUW's own example, word for word. */
export const POUW_EXAMPLE = `{
  "model_type": "mlp",
  "architecture": {
    "input_size": 784,
    "hidden_sizes": [128, 64],
    "output_size": 10
  },
  "optimizer": {
    "type": "adam",
    "learning_rate": 0.001
  },
  "stopping_criterion": {
    "type": "max_epochs",
    "max_epochs": 50
  },
  "metrics": ["accuracy", "loss"],
  "dataset_info": {
    "batch_size": 32,
    "size": 60000
  },
  "performance_requirements": {
    "gpu": false,
    "min_accuracy": 0.95
  }
}`

const sequence = (length: number, first: number): Uint8Array => Uint8Array.from({ length }, (_, i) => first + i)

/** Moves every parameter by a small, signed, index-dependent amount. */
function moved (state: ModelState, by: number): ModelState {
  const shift = (t: Int32Array): Int32Array => t.map((v, i) => v + ((i * 7919 + by * 104729) % 4001 - 2000) * by)
  return { ...state, weights: state.weights.map(shift), biases: state.biases.map(shift), activationExponents: state.activationExponents.map(e => e - by) }
}

function payloadVectors (): object {
  const spec: JobSpec = { ...benchmarkSpec, ...mlp([12, 8, 4]) }
  const before = initialState(spec)
  const payloads = [1, 2, 3].map(by => encodePayload(before, moved(before, by)))
  const decoded = payloads.map(bytes => {
    const payload = decodePayload(spec, spec.lr20, bytes)
    if (!payload.ok) throw new Error(payload.error.detail)
    return payload.value
  })
  return {
    layers: [12, 8, 4],
    before: toHex(stateHash(before)),
    digests: payloads.map(bytes => toHex(payloadDigest(bytes))),
    merged: toHex(stateHash(mergePayloads(before, decoded)))
  }
}

export function trainingVectors (): object {
  const job = parseJobJson(POUW_EXAMPLE)
  if (!job.ok) throw new Error(JSON.stringify(job.errors))
  const mnist = { source: 1, root: sequence(32, 0), trainRecords: 60_000, testRecords: 10_000, features: 784, classes: 10 }
  const spec = toSpec(job.value, mnist)
  const key = batchKey({ randomness: sequence(32, 0), job: sequence(32, 32), round: 7, miner: sequence(32, 64) }, 3)
  const digits = builtinDataset()
  const leaves = Array.from({ length: digits.records }, (_, i) => hash('record', recordsOf(digits, i, 1)))
  return {
    job: { spec: toHex(encodeJobSpec(spec)), hash: toHex(specHash(spec)), stateHash: toHex(stateHash(initialState(spec))) },
    benchmark: { id: toHex(benchmarkId), stateHash: toHex(stateHash(initialState(benchmarkSpec))) },
    payload: payloadVectors(),
    sampling: { key: toHex(key), first: [...batchIndices(key, 60_000, 12)], small: [...batchIndices(key, 5, 12)] },
    merkle: [1, 2, 3, 5, 8].map(n => toHex(merkleRoot(Array.from({ length: n }, (_, i) => sequence(32, i))))),
    digits: {
      root: toHex(merkleRoot(leaves)),
      records: Object.fromEntries([0, 1, 2, 11_999, 12_000, 13_999].map(i => [i, toHex(leaves[i])]))
    }
  }
}

const file = fileURLToPath(new URL('../tests/vectors/training.json', import.meta.url))
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, `${JSON.stringify(trainingVectors(), undefined, 2)}\n`)

/**
 * One implementation beside another: signatures beside WebCrypto, proofs of the VRF beside the one
 * that the same key makes, the library's SSZ beside the naive codec, fast kernels beside slow ones.
 * All are slower than a decoder by orders of magnitude, so they get fewer inputs.
 */
import { webcrypto } from 'node:crypto'
import fc from 'fast-check'
import { referenceKernels } from '../../../src/compute/reference/referenceKernels.ts'
import { createWasmKernels } from '../../../src/compute/wasm/wasmKernels.ts'
import { decode, toHex } from '../../../src/core/codec/ssz.ts'
import { publicKey, sign, verifyZip215 } from '../../../src/core/crypto/keys.ts'
import { proofToHash, prove, verify } from '../../../src/core/crypto/vrf.ts'
import { stateBytes } from '../../../src/core/training/stateHash.ts'
import { modelCases } from '../../compute/models.ts'
import { task } from '../../compute/tasks.ts'
import { deserialize, hashTreeRoot, serialize, SszError } from '../../support/naiveSsz.ts'
import { WIRE_SCHEMAS } from '../../support/wireSchemas.ts'
import { WIRE_TYPES } from '../../support/wireTypes.ts'
import { ACCEPTED, must, sameBytes, type Target } from '../target.ts'
import { randomValue } from '../values.ts'

const SEED = new Uint8Array(32).fill(3)
const KEY = publicKey(SEED)

async function webCrypto (key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    const imported = await webcrypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify'])
    return await webcrypto.subtle.verify({ name: 'Ed25519' }, imported, signature, message)
  } catch { return false }
}

/** Small-order points and the base point's key: what odd signatures are made of. */
const POINTS = ['0100000000000000000000000000000000000000000000000000000000000080', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', '00'.repeat(32), 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f']
  .map(hex => Uint8Array.from(Buffer.from(hex, 'hex')))

const signature: Target = {
  name: 'differential/signature',
  slowness: 50,
  max: 160,
  covers: [],
  dictionary: [...POINTS, KEY],
  seeds: () => [[], [1], [1, 2, 3]].map(m => Uint8Array.of(...KEY, ...sign(SEED, Uint8Array.from(m)), ...m)).concat(POINTS.map(p => Uint8Array.of(...p, ...p, ...new Uint8Array(32)))),
  run: async input => {
    const [key, sig, message] = [input.slice(0, 32), input.slice(32, 96), input.slice(96)]
    const ours = verifyZip215(key, message, sig)
    must(ours || !await webCrypto(key, message, sig), 'WebCrypto takes what ZIP-215 refuses')
    return ours ? ACCEPTED : 'refused'
  }
}

const ALPHA = Uint8Array.of(1, 2, 3)

const vrf: Target = {
  name: 'differential/vrf',
  slowness: 50,
  max: 128,
  covers: ['src/core/crypto/vrf.ts#decodeProof'],
  dictionary: [...POINTS, KEY],
  seeds: () => [Uint8Array.of(...KEY, ...prove(SEED, ALPHA)), ...POINTS.map(p => Uint8Array.of(...p, ...p, ...new Uint8Array(48)))],
  run: input => {
    const key = input.slice(0, 32)
    const proof = input.slice(32)
    const output = verify(key, ALPHA, proof)
    const hashed = proofToHash(proof)
    if (output === undefined) return hashed === undefined ? 'undecodable' : 'proves nothing'
    must(hashed !== undefined && sameBytes(hashed, output), 'a proof has two outputs')
    must(!sameBytes(key, KEY) || sameBytes(output, proofToHash(prove(SEED, ALPHA)) as Uint8Array), 'a key has two outputs')
    return ACCEPTED
  }
}

/** Every byte is read: the first says which type it is. */
const NAMES = [...WIRE_TYPES.keys()]

const ssz: Target = {
  name: 'differential/ssz',
  slowness: 10,
  max: 4096,
  covers: [],
  seeds: rng => NAMES.flatMap((name, i) => [0, 1].map(() => Uint8Array.of(i, ...serialize(WIRE_SCHEMAS[name], randomValue(WIRE_SCHEMAS[name], rng))))),
  run: input => {
    if (input.length < 2) return 'nothing'
    const name = NAMES[input[0] % NAMES.length]
    const bytes = input.subarray(1)
    const type = WIRE_TYPES.get(name)!
    const got = decode(type, bytes, 1 << 20)
    let want: unknown
    try { want = deserialize(WIRE_SCHEMAS[name], bytes) } catch (e) {
      must(e instanceof SszError, 'the naive codec fails')
      must(!got.ok, `${name}: taken, naively not: ${e.message}`)
      return 'refused by both'
    }
    must(got.ok, `${name}: refused, naively taken`)
    must(sameBytes(serialize(WIRE_SCHEMAS[name], got.value), bytes), `${name}: another value`)
    if (bytes[0] % 16 === 0) must(toHex(hashTreeRoot(WIRE_SCHEMAS[name], want)) === toHex(type.hashTreeRoot(got.value)), `${name}: another root`)
    return ACCEPTED
  }
}

let wasm: Awaited<ReturnType<typeof createWasmKernels>> | undefined

const kernels: Target = {
  name: 'differential/kernels',
  slowness: 1000,
  max: 8,
  covers: [],
  seeds: () => [],
  fresh: rng => rng.bytes(8),
  run: async input => {
    wasm ??= await createWasmKernels()
    const draw = new Uint8Array(8)
    draw.set(input)
    const view = new DataView(draw.buffer)
    const [{ model, batch }] = fc.sample(modelCases, { seed: view.getInt32(0), numRuns: 1 })
    const slice = task(model, batch, 1 + draw[4] % 3, { seed: view.getUint32(4), inputNoise: 1 << draw[5] % 6, lr20: 1 + view.getUint16(6) % 65535, state: (['initial', 'zero', 'saturated'] as const)[draw[4] % 3] })
    must(sameBytes(stateBytes(wasm.runSlice(slice)), stateBytes(referenceKernels.runSlice(slice))), `other bits than the reference, model ${JSON.stringify(model)}, batch ${batch}`)
    return ACCEPTED
  }
}

export const differentialTargets: readonly Target[] = [signature, vrf, ssz, kernels]

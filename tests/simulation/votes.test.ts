import { expect, it } from 'vitest'
import type { Seal } from '../../src/core/codec/wire.ts'
import { sealHash } from '../../src/core/crypto/ids.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { Votes } from './votes.ts'

const ROUND_MS = 4_000
const seal = (n: number, round = 7): Seal => ({ job: hash('test'), round, anchor: hash('test'), previous: hash('test', Uint8Array.of(round)), contributions: [], stateHash: hash('test', Uint8Array.of(n)) }) as Seal

function rig (): { readonly votes: Votes, readonly sign: (s: Seal, atMs: number, load?: string) => number | undefined } {
  const votes = new Votes(ROUND_MS)
  for (const s of [seal(1), seal(2), seal(3, 8)]) votes.offered({ seal: s })
  return { votes, sign: (s, atMs, load = 'n1.1') => votes.signed(load, { sealHash: sealHash(s) }, atMs) }
}

it('a second seal for one round is seen while the first one binds', () => {
  const { sign } = rig()
  expect(sign(seal(1), 1_000)).toBeUndefined()
  expect(sign(seal(2), 3_000)).toBe(2_000)
})

it('the same again, another round, another page, and another seal after three rounds are none', () => {
  const { sign } = rig()
  expect(sign(seal(1), 1_000)).toBeUndefined()
  expect(sign(seal(1), 2_000)).toBeUndefined()
  expect(sign(seal(3, 8), 2_000)).toBeUndefined()
  expect(sign(seal(2), 2_000, 'n1.2')).toBeUndefined()
  expect(sign(seal(2), 1_000 + 3 * ROUND_MS)).toBeUndefined()
  expect(sign(seal(1), 2_000 + 3 * ROUND_MS)).toBe(1_000)
  // What nobody has offered has no round that is known.
  expect(sign(seal(9), 2_000 + 3 * ROUND_MS)).toBeUndefined()
})

/** A block whose work a person has redone: one that was taken on trust is on trust until all of its work was. */
import { expect, test } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { claimId } from '../../src/core/crypto/ids.ts'
import { Backfill } from '../../src/node/backfill.ts'
import { redoneView } from '../../src/node/redoneView.ts'
import { keyPair } from '../core/chainKit.ts'
import { type Rig, rig } from './chainRig.ts'
import { branch, feed, kit } from './syncRig.ts'

const base = branch(kit, kit.genesis, kit.params.committeeBlocks + kit.params.maturity + 2)
const round = kit.sealRound(base.at(-1)!.meta, [keyPair(2)])

test.each<[string, (r: Rig) => void, 'ledger' | 'replayed' | undefined, { readonly ok: boolean, readonly reason?: string }]>([
  ['right', () => {}, 'replayed', { ok: true }],
  ['right, where what it has sealed cannot be redone', r => { r.states.unavailable = true }, 'ledger', { ok: true }],
  ['right, where what it has sealed is wrong', r => { r.states.badPayload = true }, undefined, { ok: false, reason: 'its slice is right, and what it has sealed is not' }],
  ['wrong', r => { r.replay.wrong.add(toHex(claimId(round.block.header))) }, undefined, { ok: false, reason: 'the work redone here ends in other bits than the block claims' }],
  ['not to be had', r => { r.replay.unavailable.add(toHex(claimId(round.block.header))) }, 'ledger', { ok: false, reason: 'a test says so' }]
])('the slice of a block on trust is %s', async (_, arrange, checked, shown) => {
  const r = rig({ kit })
  await feed(r, base)
  await r.chain.submitAs(round.block, { mode: 'ledger' })
  const record = r.chain.get(round.meta.hash)!
  expect(record.checked).toBe('ledger')
  arrange(r)
  const backfill = new Backfill({ chain: r.chain, verifier: r.verifier, log: r.log })
  const replays = { replayAfresh: async (...[claim]: Parameters<typeof r.replay.replay>) => await r.replay.replay(claim) }
  expect(await redoneView({ replays, backfill }, record, 'reference')).toMatchObject(shown)
  expect(r.chain.get(round.meta.hash)?.checked).toBe(checked)
})

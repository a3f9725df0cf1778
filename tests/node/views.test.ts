import { expect, test } from 'vitest'
import type { NodeView } from '../../src/bridge/api.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { formatAddress } from '../../src/core/codec/address.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { transactionId } from '../../src/core/crypto/ids.ts'
import { atRest, peerHeights, walletView } from '../../src/node/views.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'

test('a peer is as far as the newest block that came from it, or as it said last', () => {
  const block = (height: number, origin?: string): BlockRecord => ({ meta: { height }, origin }) as unknown as BlockRecord
  const heights = peerHeights(new Map([['a', { height: 5 }], ['b', { height: 9 }], ['c', { height: 2 }]]), [block(7, 'a'), block(8, 'b'), block(9), block(10, 'd')])
  expect(Object.fromEntries(heights)).toEqual({ a: 7, b: 9, c: 2, d: 10 })
})

test('a node that has stopped shows nobody that it is linked to and nothing that it works on', () => {
  const running = {
    peers: [{ id: 'a' }], net: { peers: [{ id: 'a' }], relays: [{ address: 'r', connected: true }], bytesIn: 7 },
    compute: { busy: 2, stepsPerSecond: 9, macsPerSecond: 9, workers: 2 }, mining: { state: 'working', detail: 'round 3', job: 'j', round: 3, slicesPerSecond: 4, slices: 12 }, networkSamplesPerSecond: 5, committee: { member: true, size: 3 }
  } as unknown as NodeView
  expect(atRest(running)).toMatchObject({
    peers: [], net: { peers: [], relays: [{ address: 'r', connected: false }], bytesIn: 7 },
    compute: { busy: 0, stepsPerSecond: 0, macsPerSecond: 0, workers: 2 }, mining: { state: 'off', detail: '', job: undefined, round: undefined, slicesPerSecond: 0, slices: 12 }, networkSamplesPerSecond: 0, committee: { member: false, size: 3 }
  })
})

test('what waits for a block is told apart, and what is told of as not sent is not among it', () => {
  const kit = new ChainKit()
  const grown = kit.grown()
  const [me, you] = [keyPair(1), keyPair(9)]
  const post = kit.post(grown, me, { nonce: 1 })
  const block = kit.mine(grown, { transactions: [kit.post(grown, me)] })
  const posted = block.meta.ledger.jobs.find(j => j.status !== 'benchmark')!
  const cancel = kit.cancel(block.meta, me, posted.id)
  const waiting = [kit.transfer(grown, me, you.key, 5n), post, cancel].map((signed, i) => ({ signed, sinceMs: 1_000 * i }))
  const view = walletView(block.meta.ledger, me.key, waiting, [], { backedUp: true, replaced: false, earned: 0n }, kit.params)
  const name = new TextDecoder().decode(posted.spec.name)
  expect(view.pending).toEqual([
    { id: toHex(transactionId(waiting[0].signed.transaction)), kind: 'transfer', to: formatAddress(you.key), amount: 5n, fee: kit.params.minFee, sinceMs: 0 },
    expect.objectContaining({ kind: 'job', name, sinceMs: 1_000 }),
    expect.objectContaining({ kind: 'cancellation', job: toHex(posted.id), name, amount: 0n })
  ])
  expect(view.pending.reduce((n, p) => n + p.amount + p.fee, 0n)).toBe(view.pendingOut)
  // The id is the one it has in the table once a block has it.
  const first = walletView(grown.ledger, me.key, [{ signed: kit.post(grown, me), sinceMs: 0 }], [], { backedUp: true, replaced: false, earned: 0n }, kit.params)
  expect(first.pending[0].job).toBe(toHex(posted.id))
  const { id, amount, fee } = first.pending[0]
  expect(walletView(grown.ledger, me.key, [{ signed: kit.post(grown, me), sinceMs: 0 }], [{ id, kind: 'job', why: 'stuck', amount, fee }], { backedUp: true, replaced: false, earned: 0n }, kit.params).pending).toEqual([])
})

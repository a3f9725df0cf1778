/** Receipts: their sum is the bytes, to the byte; a claim of more, or of others, is refused by name; who does not sign is not served on credit. */
import { describe, expect, test } from 'vitest'
import { LINK_HELLO, LINK_RECEIPT, LinkMessage, type Receipt, type SignedReceipt } from '../../src/core/codec/library.ts'
import { fromHex } from '../../src/core/codec/ssz.ts'
import { receiptMessage } from '../../src/core/crypto/ids.ts'
import { CREDIT_BYTES, DEBT_BYTES_MAX, FORGIVE_MS, type ReceiptFault, Receipts, SIGN_BYTES, SIGN_MS, TRACKER_WAIT_MS } from '../../src/node/receipts.ts'
import type { SwarmLink } from '../../src/ports/swarm.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'
import { CHAIN, EPOCH_BLOCKS, file, item, keyOf, LibraryWorld, share, view } from './libraryRig.ts'

describe('whole tabs', () => {
  test('the sum of receipts is the bytes, to the byte, over epochs and links that end', async () => {
    const w = new LibraryWorld()
    const [a, b, c] = [await w.tab('a'), await w.tab('b'), await w.tab('c')]
    const name = await share(a, file(2_000_000, 1))
    await w.until('they hear of it', () => item(b, name) !== undefined && item(c, name) !== undefined)
    await b.library.fetch(name)
    await w.until('b has a part', () => (item(b, name)?.haveBytes ?? 0) > 500_000)
    // Everything so far is signed for in the first epoch.
    await w.clock.advance(3 * SIGN_MS)
    w.height = EPOCH_BLOCKS
    await c.library.fetch(name)
    await w.until('both have it', () => [b, c].every(t => item(t, name)?.state === 'complete'))
    await w.clock.advance(5 * SIGN_MS)
    const all = [a, b, c]
    const sent = all.reduce((n, t) => n + item(t, name)!.up, 0)
    const got = all.reduce((n, t) => n + item(t, name)!.down, 0)
    expect(got).toBe(4_000_000)
    expect(sent).toBe(got)
    expect(all.reduce((n, t) => n + view(t).receiptsIn, 0)).toBe(got)
    expect(all.reduce((n, t) => n + view(t).receiptsOut, 0)).toBe(got)
    for (const t of all) for (const p of item(t, name)!.peers) expect([p.receiptsIn, p.receiptsOut]).toEqual([p.up, p.down])
    expect(all.flatMap(t => t.refused)).toEqual([])
  })

  test('a tab that was loaded again goes on from the receipt it is shown', async () => {
    const w = new LibraryWorld()
    const a = await w.tab('a')
    const b = await w.tab('b', { key: keyOf('reader') })
    const name = await share(a, file(1_500_000, 2))
    await w.until('b hears of it', () => item(b, name) !== undefined)
    await b.library.fetch(name)
    await w.until('b has a part', () => (item(b, name)?.haveBytes ?? 0) > 500_000)
    await w.clock.advance(3 * SIGN_MS)
    await b.library.stop()
    const before = view(a).receiptsIn
    expect(before).toBeGreaterThan(0)
    const again = await w.tab('b2', { key: keyOf('reader') })
    await w.until('b hears of it again', () => item(again, name) !== undefined)
    await again.library.fetch(name)
    await w.until('b has it', () => item(again, name)?.state === 'complete')
    await w.clock.advance(3 * SIGN_MS)
    // The second life fetched all of it anew, on the same account.
    expect(view(a).receiptsIn).toBe(before + 1_500_000)
    expect(a.refused.concat(again.refused)).toEqual([])
  })
})

const HASH = 'ab'.repeat(20)
const OURS = keyOf('ours')
const THEIRS = keyOf('theirs')

function desk (): { receipts: Receipts, refused: string[], sent: Array<{ selector: number, value: unknown }>, served: boolean[], cut: number[], stored: SignedReceipt[], clock: ManualClock, at: { height: number, synced: boolean } } {
  const refused: string[] = []
  const sent: Array<{ selector: number, value: unknown }> = []
  const served: boolean[] = []
  const cut: number[] = []
  const stored: SignedReceipt[] = []
  const clock = new ManualClock(0)
  const at = { height: 10 * EPOCH_BLOCKS, synced: true }
  const receipts = new Receipts({
    chain: CHAIN, key: OURS, epochBlocks: EPOCH_BLOCKS, self: () => 'us', height: () => at.height, synced: () => at.synced, clock,
    swarm: { send: async (_l, bytes) => { sent.push(LinkMessage.deserialize(bytes) as { selector: number, value: unknown }) }, serve: async (_l, allowed) => { served.push(allowed) }, cut: async l => { cut.push(l) } },
    signatures: new TestSignatures(),
    store: { newest: async () => stored.at(-1), put: async (kind, r) => { if (kind === 'in') stored.push(r) } },
    blame: { refuse: r => { refused.push(r.reason) } }
  })
  return { receipts, refused, sent, served, cut, stored, clock, at }
}

const link = (up: number, down = 0, more: Partial<SwarmLink> = {}): SwarmLink => ({ id: 1, infoHash: HASH, peer: 'they', via: 'mesh', has: 0, down, up, downPerSecond: 0, upPerSecond: 0, choked: false, interested: true, ...more })
const hello = (change: Record<string, unknown> = {}): Uint8Array => LinkMessage.serialize({ selector: LINK_HELLO, value: { chain: CHAIN, key: THEIRS.publicKey, peer: new TextEncoder().encode('they'), epoch: 10, last: [], ...change } as never })
const receiptOf = (change: Partial<Receipt> = {}, by = THEIRS): SignedReceipt => {
  const receipt: Receipt = { chain: CHAIN, from: THEIRS.publicKey, to: OURS.publicKey, infoHash: fromHex(HASH, 20)!, epoch: 10, bytes: 1000, ...change }
  return { receipt, signature: by.sign(receiptMessage(receipt)) }
}
const written = (r: SignedReceipt): Uint8Array => LinkMessage.serialize({ selector: LINK_RECEIPT, value: r })

/** A row per reason; one without a row does not compile. What comes after the hello, and how much was sent. */
const REFUSED: Readonly<Record<ReceiptFault, ReadonlyArray<{ readonly up?: number, readonly first?: readonly Uint8Array[], readonly message: Uint8Array }>>> = {
  'receipt-malformed': [{ message: Uint8Array.of(9) }, { message: Uint8Array.of(0) }, { message: written(receiptOf()).subarray(0, 50) }],
  'receipt-before-hello': [{ first: [], message: written(receiptOf()) }],
  'receipt-chain': [{ message: written(receiptOf({ chain: new Uint8Array(32) })) }, { first: [], message: hello({ chain: new Uint8Array(32) }) }],
  'receipt-key': [{ message: written(receiptOf({ from: OURS.publicKey })) }, { message: written(receiptOf({ to: THEIRS.publicKey })) }, { first: [], message: hello({ peer: new TextEncoder().encode('another') }) }],
  'receipt-torrent': [{ message: written(receiptOf({ infoHash: new Uint8Array(20) })) }],
  'receipt-epoch': [{ message: written(receiptOf({ epoch: 8 })) }, { message: written(receiptOf({ epoch: 12 })) }, { first: [hello(), written(receiptOf({ epoch: 11 }))], up: 5000, message: written(receiptOf({ epoch: 10, bytes: 2000 })) }],
  'receipt-backwards': [{ message: written(receiptOf({ bytes: 0 })) }, { first: [hello(), written(receiptOf())], up: 5000, message: written(receiptOf({ bytes: 900 })) }],
  'receipt-too-much': [{ up: 999, message: written(receiptOf()) }, { first: [hello(), written(receiptOf())], up: 1500, message: written(receiptOf({ bytes: 1501 })) }, { first: [hello(), written(receiptOf())], up: 1500, message: written(receiptOf({ epoch: 11, bytes: 501 })) }],
  'receipt-signature': [{ message: written(receiptOf({}, OURS)) }],
  'hello-twice': [{ message: hello({ key: OURS.publicKey }) }, { first: [hello(), hello()], message: hello() }],
  'hello-receipt': [{ message: hello({ last: [receiptOf()] }) }, { message: hello({ last: [receiptOf({ from: OURS.publicKey, to: THEIRS.publicKey }, THEIRS)] }) }]
}

describe('a receipt is refused', () => {
  test.each(Object.entries(REFUSED))('%s', async (reason, rows) => {
    for (const { up = 1000, first = [hello()], message } of rows) {
      const d = desk()
      d.receipts.onLink(link(0))
      for (const m of first) await d.receipts.onMessage(link(up), m)
      expect(d.refused).toEqual([])
      const before = d.receipts.of(1).in
      await d.receipts.onMessage(link(up), message)
      expect(d.refused).toEqual([reason])
      expect(d.receipts.of(1).in).toBe(before)
    }
  })

  test('and what none of them has is taken, once for each byte', async () => {
    const d = desk()
    d.receipts.onLink(link(0))
    await d.receipts.onMessage(link(0), hello())
    await d.receipts.onMessage(link(1000), written(receiptOf()))
    await d.receipts.onMessage(link(1500), written(receiptOf({ epoch: 11, bytes: 500 })))
    expect(d.refused).toEqual([])
    expect(d.receipts.of(1).in).toBe(1500)
    expect(d.stored.map(s => s.receipt.bytes)).toEqual([1000, 500])
  })

  test('of another time pays for nothing while the tab catches up, and is no offence; the next has its bytes too', async () => {
    const d = desk()
    d.at.synced = false
    d.receipts.onLink(link(0))
    await d.receipts.onMessage(link(0), hello({ epoch: 20 }))
    for (const epoch of [4_000_000_000, 20, 8]) await d.receipts.onMessage(link(1000), written(receiptOf({ epoch })))
    expect([d.receipts.of(1).in, d.stored, d.refused]).toEqual([0, [], []])
    Object.assign(d.at, { height: 20 * EPOCH_BLOCKS, synced: true })
    await d.receipts.onMessage(link(1500), written(receiptOf({ epoch: 20, bytes: 1500 })))
    expect(d.receipts.of(1).in).toBe(1500)
    expect(d.refused).toEqual([])
  })
})

describe('credit', () => {
  test('who does not sign is no longer served, and is again once he signs', async () => {
    const d = desk()
    d.receipts.onLink(link(0))
    await d.receipts.onMessage(link(0), hello())
    await d.receipts.onCounts([link(CREDIT_BYTES - 1)])
    expect(d.served).toEqual([])
    await d.receipts.onCounts([link(CREDIT_BYTES + 1)])
    expect(d.served).toEqual([false])
    await d.receipts.onMessage(link(CREDIT_BYTES + 1), written(receiptOf({ bytes: CREDIT_BYTES })))
    expect(d.served).toEqual([false, true])
  })

  test('a new link is no new credit: what the last ones left unsigned is remembered, and forgiven slowly', async () => {
    const d = desk()
    let taken = 0
    for (let id = 1; id <= 200; id++) {
      d.receipts.onLink(link(0, 0, { id }))
      const before = d.served.length
      let up = 0
      // Takes until it is no longer served, and comes back under the same name.
      while (up < 2 * CREDIT_BYTES && d.served.length === before) await d.receipts.onCounts([link(up += SIGN_BYTES / 2, 0, { id })])
      d.receipts.onUnlink(link(up, 0, { id }))
      taken += up
    }
    expect(taken).toBeLessThan(DEBT_BYTES_MAX + 200 * SIGN_BYTES)
    await d.clock.advance(200 * FORGIVE_MS)
    d.served.length = 0
    d.receipts.onLink(link(0, 0, { id: 300 }))
    await d.receipts.onCounts([link(CREDIT_BYTES - 1, 0, { id: 300 })])
    expect(d.served).toEqual([])
  })

  test('who signs is served on, whatever a link that broke has left, and what was given up on the way', async () => {
    const d = desk()
    for (let id = 1; id <= 4; id++) {
      d.receipts.onLink(link(0, 0, { id }))
      d.receipts.onUnlink(link(2 * SIGN_BYTES, 0, { id }))
    }
    d.receipts.onLink(link(0))
    await d.receipts.onMessage(link(0), hello())
    for (let n = 1; n <= 160; n++) {
      const up = 4 * n * SIGN_BYTES
      // One block of 64 was asked for again, of others.
      const signed = Math.floor(up / 64) * 63
      await d.receipts.onMessage(link(up), written(receiptOf({ bytes: signed })))
      await d.receipts.onCounts([link(up)])
    }
    expect(d.refused).toEqual([])
    expect(d.served).toEqual([])
  })

  test('who gives as much as he takes is served without signing', async () => {
    const d = desk()
    d.receipts.onLink(link(0))
    await d.receipts.onCounts([link(10 * CREDIT_BYTES, 10 * CREDIT_BYTES)])
    expect(d.served).toEqual([])
  })

  test('a plain client, which cannot sign, is served last: when nobody who signs wants anything', async () => {
    const d = desk()
    const plain = (up: number): SwarmLink => link(up, 0, { id: 2, peer: undefined, via: 'tracker' })
    d.receipts.onLink(link(0))
    d.receipts.onLink(plain(0))
    await d.receipts.onMessage(link(0), hello())
    // Not before it is clear that it is no node that the mesh leads to.
    expect(d.served).toEqual([false])
    await d.clock.advance(TRACKER_WAIT_MS)
    await d.receipts.onCounts([link(0), plain(2 * CREDIT_BYTES)])
    expect(d.served).toEqual([false, true])
    await d.receipts.onMessage(link(1000), written(receiptOf()))
    expect(d.served).toEqual([false, true, false])
    await d.receipts.onCounts([link(1000, 0, { interested: false }), plain(2 * CREDIT_BYTES)])
    expect(d.served).toEqual([false, true, false, true])
  })

  test('a link of a tracker to a peer that the mesh leads to is cut, whichever was first', async () => {
    const d = desk()
    const tracked = (id: number): SwarmLink => link(0, 0, { id, peer: undefined, via: 'tracker' })
    d.receipts.onLink(tracked(2))
    await d.receipts.onMessage(tracked(2), hello())
    await d.receipts.onCounts([])
    expect(d.cut).toEqual([])
    d.receipts.onLink(link(0))
    await d.receipts.onCounts([])
    expect(d.cut).toEqual([2])
  })

  test('we sign for what we got, when it is much or has waited, and not before the other has shown what it holds', async () => {
    const d = desk()
    const signed = (): number[] => d.sent.filter(m => m.selector === LINK_RECEIPT).map(m => (m.value as SignedReceipt).receipt.bytes)
    d.receipts.onLink(link(0))
    await d.receipts.onMessage(link(0), hello())
    await d.receipts.onCounts([link(0, 2 * SIGN_BYTES)])
    expect(signed()).toEqual([])
    const last = receiptOf({ from: OURS.publicKey, to: THEIRS.publicKey, bytes: 77 }, OURS)
    await d.receipts.onMessage(link(0), hello({ last: [last] }))
    await d.receipts.onCounts([link(0, 2 * SIGN_BYTES)])
    expect(signed()).toEqual([77 + 2 * SIGN_BYTES])
    await d.receipts.onCounts([link(0, 2 * SIGN_BYTES + 5)])
    expect(signed()).toHaveLength(1)
    await d.clock.advance(SIGN_MS)
    await d.receipts.onCounts([link(0, 2 * SIGN_BYTES + 5)])
    expect(signed()).toEqual([77 + 2 * SIGN_BYTES, 82 + 2 * SIGN_BYTES])
    d.at.height += EPOCH_BLOCKS
    await d.clock.advance(SIGN_MS)
    await d.receipts.onCounts([link(0, 2 * SIGN_BYTES + 9)])
    expect(signed().at(-1)).toBe(4)
  })
})

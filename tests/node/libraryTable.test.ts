/** Who has what, of names that cost nothing: a table alone, and what its neighbours hand it. */
import { describe, expect, test } from 'vitest'
import { type AnnouncedItem, Announcement, SHARE_ALL } from '../../src/core/codec/library.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { writeNote } from '../../src/node/libraryNotes.ts'
import { HOLDER_MS, LIBRARY_TOPIC, LibraryTable, MAX_HOLDERS, MAX_SETS } from '../../src/node/libraryTable.ts'
import { RingLog } from '../../src/node/log.ts'
import type { GossipMessage, Verdict } from '../../src/ports/network.ts'
import type { Signatures } from '../../src/ports/signatures.ts'
import { ManualClock, TestSignatures } from './chainRig.ts'
import { CHAIN, keyOf, SAID } from './libraryRig.ts'
import { SeededRandom } from './workRig.ts'

const set = (n: number): Uint8Array => hash('test-set', u32le(n)).subarray(0, 20)
/** All of them, without notes. */
const said = (sets: readonly Uint8Array[]): Uint8Array => Announcement.serialize({ items: sets.map(infoHash => ({ infoHash, share: SHARE_ALL, note: [] })) })

/** A table alone, and what it is handed. */
const listening = async (signatures: Signatures): Promise<{ readonly table: LibraryTable, readonly clock: ManualClock, readonly receive: (m: Omit<GossipMessage, 'topic'>) => Promise<Verdict> }> => {
  const clock = new ManualClock(1_000_000_000)
  let receive: (m: GossipMessage) => Promise<Verdict> = async () => 'ignore'
  const table = new LibraryTable({
    chain: CHAIN, network: { publish: async () => 0, subscribe: async (_, v) => { receive = v; return () => {} } }, signatures, blame: { refuse: () => {} }, clock, random: new SeededRandom(1), log: new RingLog(clock),
    self: () => 'me', own: () => [], isOwn: () => false, follows: () => false, onChange: () => {}
  })
  await table.start()
  return { table, clock, receive: async m => await receive({ ...m, topic: LIBRARY_TOPIC }) }
}

test('names on envelopes are free: they keep no neighbour out of those who have a set', async () => {
  const { table, receive } = await listening(new TestSignatures())
  const one = set(0)
  const bytes = said([one])
  for (let n = 0; n < MAX_HOLDERS; n++) await receive({ bytes, origin: `name ${n}`, via: 'loud' })
  await receive({ bytes, origin: 'far', via: 'loud' })
  for (let n = 0; n < 3; n++) await receive({ bytes, origin: `neighbour ${n}`, via: `neighbour ${n}` })
  const held = table.holders(toHex(one)).map(h => h.peer)
  expect(held).toHaveLength(MAX_HOLDERS)
  expect(held.slice(-4)).toEqual([`name ${MAX_HOLDERS - 1}`, 'neighbour 0', 'neighbour 1', 'neighbour 2'])
  for (let n = 0; n < 2 * MAX_HOLDERS; n++) await receive({ bytes, origin: `other ${n}`, via: 'loud' })
  expect(table.holders(toHex(one)).map(h => h.peer)).toEqual(held)
  await table.stop()
})

describe('names on envelopes are free: where places for sets are short', () => {
  const crowd = Array.from({ length: MAX_SETS }, (_, i) => set(i))
  const [near, far] = [set(MAX_SETS), set(MAX_SETS + 1)]
  type Say = (origin: string, via: string, sets: readonly Uint8Array[]) => Promise<void>
  /** One set after another in the name of three, as many as there are places. */
  const flood = async (say: Say, via: string): Promise<void> => {
    for (const [i, one] of crowd.entries()) for (const crew of ['a', 'b', 'c']) await say(`${crew} ${i >> 3} of ${via}`, via, [one])
  }
  const hearing = async (): Promise<{ readonly table: LibraryTable, readonly clock: ManualClock, readonly say: Say, readonly has: (...sets: Uint8Array[]) => boolean[] }> => {
    const { table, clock, receive } = await listening(new TestSignatures())
    return {
      table,
      clock,
      say: async (origin, via, sets) => { expect(await receive({ bytes: said(sets), origin, via })).not.toBe('reject') },
      has: (...sets) => {
        expect(table.sets()).toHaveLength(MAX_SETS)
        return sets.map(s => table.sets().includes(toHex(s)))
      }
    }
  }

  test('what one neighbour hands over makes room for its own alone', async () => {
    const { table, clock, say, has } = await hearing()
    await say('neighbour', 'neighbour', [near])
    await say('somebody', 'neighbour', [far])
    await flood(say, 'loud')
    expect(has(near, far)).toEqual([true, true])
    // Nor does it keep out who comes later.
    const late = Array.from({ length: 32 }, (_, i) => set(2_000 + i))
    await say('late', 'late', late)
    // As many new ones as were displaced may be handed over again.
    await clock.advance(HOLDER_MS / 3)
    await flood(say, 'loud')
    expect(has(near, far, ...late)).not.toContain(false)
    await table.stop()
  })

  test('nobody makes another\'s set his own, though he says that he has it, first and last', async () => {
    const { table, say, has } = await hearing()
    await say('loud 0', 'loud 0', [near])
    await say('neighbour', 'neighbour', [near])
    await say('somebody', 'neighbour', [far])
    await say('loud 0', 'loud 0', [near, far])
    // What each of five says that it has itself, and two more with it: the places are full, and the first one has the most.
    const own = async (loud: number, from: number, to: number): Promise<void> => {
      for (const name of [`a of ${loud}`, `b of ${loud}`, `loud ${loud}`]) await say(name, `loud ${loud}`, crowd.slice(from, to))
    }
    for (let i = 0; i < 15; i++) await own(i % 5, 32 * i, 32 * (i + 1))
    for (let i = 0; i < 3; i++) await own(i + 1, 480 + 6 * i, 486 + 6 * i)
    for (let i = 498; i < MAX_SETS; i++) await own(0, i, i + 1)
    expect(has(near, far)).toEqual([true, true])
    await table.stop()
  })

  test('of what comes through one neighbour, what it has itself goes last', async () => {
    const { table, say, has } = await hearing()
    await say('neighbour', 'neighbour', [near])
    await flood(say, 'neighbour')
    expect(has(near)).toEqual([true])
    await table.stop()
  })

  test('names under which it was linked before give nobody more places', async () => {
    const { table, clock, say, has } = await hearing()
    for (let i = 0; i < MAX_SETS; i += 4) await say(`gone ${i}`, `gone ${i}`, crowd.slice(i, i + 4))
    await clock.advance(2 * HOLDER_MS / 3)
    await flood(say, 'loud')
    await clock.advance(2 * HOLDER_MS / 3)
    await flood(say, 'loud')
    const late = Array.from({ length: 32 }, (_, i) => set(2_000 + i))
    await say('late', 'late', late)
    expect(has(...late)).not.toContain(false)
    await table.stop()
  })
})

test('names on envelopes are free: a neighbour has places looked for so many new sets, and no more', async () => {
  const { table, clock, receive } = await listening(new TestSignatures())
  let made = 0
  const fresh = (n: number): Uint8Array[] => Array.from({ length: n }, () => hash('test-fresh', u32le(made++)).subarray(0, 20))
  const say = async (origin: string, via: string, sets: readonly Uint8Array[]): Promise<Verdict> => await receive({ bytes: said(sets), origin, via })
  const heard = (sets: readonly Uint8Array[]): number => sets.filter(s => table.sets().includes(toHex(s))).length
  for (let n = 0; n < MAX_SETS / 32; n++) expect(await say(`name ${n}`, 'loud', fresh(32))).toBe('accept')
  // Not handed on, either; what is known is, and what is known of it beside new ones.
  const late = fresh(32)
  expect(await say('another', 'loud', late)).toBe('ignore')
  expect(heard(late)).toBe(0)
  const [known] = table.sets().map(s => Uint8Array.from(Buffer.from(s, 'hex')))
  expect(await say('one more', 'loud', [...late.slice(0, 31), known])).toBe('accept')
  expect(table.holders(toHex(known)).map(h => h.peer)).toContain('one more')
  expect(heard(late)).toBe(0)
  // What others hand over, and what it has itself, has an allowance of its own.
  const [theirs, own] = [fresh(1), fresh(1)]
  expect(await say('third', 'quiet', theirs)).toBe('accept')
  expect(await say('loud', 'loud', own)).toBe('accept')
  expect([heard(theirs), heard(own)]).toEqual([1, 1])
  await clock.advance(8_000)
  expect(await say('another', 'loud', late)).toBe('accept')
  expect(heard(late)).toBe(32)
  expect(await say('yet another', 'loud', fresh(1))).toBe('ignore')
  await table.stop()
})

test('names on envelopes are free: one neighbour has so many new notes looked at, and no more', async () => {
  let verified = 0
  const { table, receive } = await listening({ verify: async items => { verified += items.length; return items.map(() => true) } })
  const say = async (n: number, via: string): Promise<Verdict> => {
    const items = Array.from({ length: 32 }, (_, i): AnnouncedItem => {
      const infoHash = set(32 * n + i)
      const note = writeNote(CHAIN, keyOf('publisher'), toHex(infoHash), 5, SAID)
      if (!note.ok) throw new Error(note.message)
      return { infoHash, share: SHARE_ALL, note: [note.value] }
    })
    return await receive({ bytes: Announcement.serialize({ items }), origin: `name ${n}`, via })
  }
  const verdicts: Verdict[] = []
  for (let n = 0; n < 8; n++) verdicts.push(await say(n, 'loud'))
  expect(verdicts).toEqual(['accept', 'accept', 'accept', 'accept', 'ignore', 'ignore', 'ignore', 'ignore'])
  expect(verified).toBe(4 * 32)
  // What is known costs nothing, and others are heard.
  expect(await say(0, 'loud')).toBe('accept')
  expect(await say(9, 'another')).toBe('accept')
  await table.stop()
})

import { describe, expect, it } from 'vitest'
import { DISCONNECT_SCORE, MAX_BANS, MAX_REQUESTS_PER_PEER, MAX_REQUESTS_PER_PROTOCOL, MAX_VALIDATIONS, MAX_VALIDATIONS_PER_PEER, PENALTY_REJECTED_MESSAGE, SCORE_HALF_LIFE_MS, VALIDATIONS_KEPT_PER_PEER, VALIDATIONS_SHARED } from '../../src/net/bounds.ts'
import { BanList, byWorth, InFlight, isUnbearable, PeerBuckets, Penalties, RequestGate, Validations } from '../../src/net/peerBook.ts'
import { decodeNames, encodeNames, MAX_NAMES, MAX_NAMES_BYTES } from '../../src/net/protocols.ts'

describe('bans', () => {
  it('last as long as said, are not shortened, and are bounded', () => {
    let now = 0
    const bans = new BanList(() => now)
    bans.ban('a', 'long', 1000)
    bans.ban('a', 'short', 10)
    bans.ban('b', 'ever')
    now = 500
    expect(bans.list()).toEqual([{ id: 'a', reason: 'long' }, { id: 'b', reason: 'ever' }])
    now = 1000
    expect([bans.has('a'), bans.has('b'), bans.has('c')]).toEqual([false, true, false])
    for (let i = 0; i < MAX_BANS; i++) bans.ban(`x${i}`, 'many')
    expect(bans.has('b')).toBe(false)
    expect(bans.list()).toHaveLength(MAX_BANS)
  })
})

describe('penalties', () => {
  it('add up to a disconnect at the third, and halve with time', () => {
    let now = 0
    const p = new Penalties(() => now)
    expect([1, 2, 3].map(() => isUnbearable(p.add('a', PENALTY_REJECTED_MESSAGE)))).toEqual([false, false, true])
    expect(p.score('a')).toBe(-75)
    now = SCORE_HALF_LIFE_MS
    expect(p.score('a')).toBeCloseTo(-37.5)
    expect(p.score('stranger')).toBe(0)
    expect(isUnbearable(DISCONNECT_SCORE)).toBe(true)
  })
})

describe('the worth of links', () => {
  it('those that came by themselves go first, of them those that were welcome the longest ago or never; else they stay in their order', () => {
    const own = new Set(['o1', 'o2'])
    const welcome: Record<string, number> = { late: 9, early: 1, o1: 20 }
    expect(byWorth(['o1', 'late', 'never', 'o2', 'early', 'nor he'], id => own.has(id), id => welcome[id])).toEqual(['never', 'nor he', 'early', 'late', 'o2', 'o1'])
  })
})

describe('buckets', () => {
  it('give a burst, then the rate, per name; time that runs backwards gives nothing', () => {
    let now = 0
    const b = new PeerBuckets(() => now, 2, 3)
    const take = (n: number, id = 'a'): number => Array.from({ length: n }, () => b.take(id)).filter(Boolean).length
    expect(take(10)).toBe(3)
    expect(take(10, 'b')).toBe(3)
    now = 1000
    expect(take(10)).toBe(2)
    now = 0
    expect(take(10)).toBe(0)
  })

  it('a gate answers so many of one and so many of all', () => {
    const gate = new RequestGate(() => 0, { maxRequestBytes: 1, maxResponseBytes: 1, perPeerPerSecond: 100 })
    const entries = Array.from({ length: MAX_REQUESTS_PER_PEER + 1 }, () => gate.enter('a'))
    expect(entries.map(e => 'refused' in e ? e.refused : 'in')).toEqual([...Array(MAX_REQUESTS_PER_PEER).fill('in'), 'full'])
    const first = entries[0]
    if ('leave' in first) {
      first.leave()
      first.leave()
    }
    expect('leave' in gate.enter('a')).toBe(true)
    expect('leave' in gate.enter('a')).toBe(false)
    for (let i = MAX_REQUESTS_PER_PEER; i < MAX_REQUESTS_PER_PROTOCOL; i++) expect('leave' in gate.enter(`p${i}`)).toBe(true)
    expect(gate.enter('one more')).toEqual({ refused: 'full' })
  })

  it('what is in flight is forgotten when it lands', () => {
    const f = new InFlight(1, 2)
    const done = f.enter('a')
    expect(f.enter('a')).toBeUndefined()
    done?.()
    expect(f.enter('a')).toBeDefined()
  })

  it('whoever takes all places for messages leaves each other one a few, and gives them back', () => {
    const v = new Validations()
    const enter = (id: string, n: number): Array<() => void> => Array.from({ length: n }, () => v.enter(id)).filter(done => done !== undefined)
    const flood = Array.from({ length: 6 }, (_, i) => enter(`s${i}`, 2 * MAX_VALIDATIONS_PER_PEER))
    expect(flood.slice(0, 5).map(f => f.length)).toEqual(Array(5).fill(MAX_VALIDATIONS_PER_PEER))
    expect(flood.flat()).toHaveLength(VALIDATIONS_SHARED + 6 * VALIDATIONS_KEPT_PER_PEER)
    const honest = enter('h', 10)
    expect(honest).toHaveLength(VALIDATIONS_KEPT_PER_PEER)
    // With as many neighbours as there may be links all places are taken, and no more.
    expect(Array.from({ length: 41 }, (_, i) => enter(`n${i}`, 10)).flat()).toHaveLength(41 * VALIDATIONS_KEPT_PER_PEER)
    expect(VALIDATIONS_SHARED + 48 * VALIDATIONS_KEPT_PER_PEER).toBe(MAX_VALIDATIONS)
    expect(enter('one more', 1)).toEqual([])
    honest[0]()
    expect(enter('h', 2)).toHaveLength(1)
    for (const done of flood[5]) done()
    expect(enter('h', 100)).toHaveLength(flood[5].length - VALIDATIONS_KEPT_PER_PEER)
  })
})

describe('names on the wire', () => {
  const id = (i: number): string => `12D3KooW${'ABCDEFGHJK'[i % 10].repeat(44)}`
  it('come back as they went, so many and no more', () => {
    const names = Array.from({ length: MAX_NAMES + 5 }, (_, i) => id(i))
    const bytes = encodeNames(names)
    expect(bytes.length).toBeLessThanOrEqual(MAX_NAMES_BYTES)
    expect(decodeNames(bytes)).toEqual(names.slice(0, MAX_NAMES))
    expect(decodeNames(encodeNames([]))).toEqual([])
  })
  it('drop what is no name', () => {
    const junk = ['', '../../etc', 'a'.repeat(500), `${id(1)}/p2p-circuit`, id(2), '12D3KooW0OIl'.padEnd(52, '0')]
    expect(decodeNames(new TextEncoder().encode(junk.join('\n')))).toEqual([id(2)])
    expect(decodeNames(Uint8Array.of(255, 254, 0, 10, 10, 10))).toEqual([])
  })
})

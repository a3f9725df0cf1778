import { describe, expect, it } from 'vitest'
import { LOG_CAPACITY, LOG_TEXT_MAX, RingLog } from '../../src/node/log.ts'
import { BAN_FACTOR, BAN_FIRST_MS, BAN_LAST_MS, REFUSALS_KEPT, REFUSALS_PER_MINUTE, Refusals } from '../../src/node/refusals.ts'
import { ManualClock } from './chainRig.ts'

function make (): { readonly refusals: Refusals, readonly bans: Array<readonly [string, number | undefined]>, readonly clock: ManualClock } {
  const clock = new ManualClock(0)
  const bans: Array<readonly [string, number | undefined]> = []
  const refusals = new Refusals({ clock, log: new RingLog(clock), network: { ban: async (peer, _, ms) => { bans.push([peer, ms]) } } })
  return { refusals, bans, clock }
}

const offence = { what: 'block 4', reason: 'result-hash', detail: 'other bits', peer: 'p', fatal: true }

describe('refusals', () => {
  it('bans for longer with each offence, up to a day, and the miner key for good', () => {
    const { refusals, bans } = make()
    for (let i = 0; i < 6; i++) refusals.refuse({ ...offence, miner: '07'.repeat(32) })
    expect(bans.map(([, ms]) => ms)).toEqual([1, BAN_FACTOR, BAN_FACTOR ** 2, BAN_FACTOR ** 3, BAN_FACTOR ** 4, BAN_FACTOR ** 5].map((f) => Math.min(BAN_LAST_MS, BAN_FIRST_MS * f)))
    expect(refusals.isBannedMiner(new Uint8Array(32).fill(7))).toBe(true)
    expect(refusals.isBannedMiner(new Uint8Array(32).fill(8))).toBe(false)
  })

  it('bears harmless refusals, but not a flood of them', async () => {
    const { refusals, bans, clock } = make()
    for (let i = 0; i < REFUSALS_PER_MINUTE; i++) refusals.refuse({ ...offence, fatal: false, miner: '07'.repeat(32) })
    await clock.advance(60_000)
    refusals.refuse({ ...offence, fatal: false })
    expect(bans).toEqual([])
    expect(refusals.isBannedMiner(new Uint8Array(32).fill(7))).toBe(false)
    for (let i = 0; i < REFUSALS_PER_MINUTE; i++) refusals.refuse({ ...offence, fatal: false })
    expect(bans).toEqual([['p', BAN_FIRST_MS]])
  })

  it('keeps the newest ones, newest first', () => {
    const { refusals } = make()
    for (let i = 0; i < REFUSALS_KEPT + 5; i++) refusals.refuse({ ...offence, peer: undefined, detail: `${i}` })
    expect(refusals.list()).toHaveLength(REFUSALS_KEPT)
    expect(refusals.list(1)[0].detail).toBe(`${REFUSALS_KEPT + 4}`)
  })

  it('lists the same from the same peer once, however often it came', () => {
    const { refusals } = make()
    refusals.refuse(offence)
    for (let i = 0; i < 30; i++) refusals.refuse({ ...offence, what: 'blocks', reason: 'too-many', fatal: false })
    refusals.refuse({ ...offence, what: 'blocks', reason: 'too-many', peer: 'q', fatal: false })
    expect(refusals.list().map((r) => `${r.peer} ${r.reason}`)).toEqual(['q too-many', 'p too-many', 'p result-hash'])
  })
})

describe('log', () => {
  it('keeps the newest entries from its level up, cut to a bounded length', () => {
    const log = new RingLog(new ManualClock(5))
    log.debug('a', 'unheard')
    for (let i = 0; i < LOG_CAPACITY * 3; i++) log.info('a', `${i}`)
    expect(log.entries(1e9).length).toBeLessThanOrEqual(2 * LOG_CAPACITY)
    expect(log.entries(1)).toEqual([{ timeMs: 5, level: 'info', area: 'a', text: `${LOG_CAPACITY * 3 - 1}` }])
    log.setLevel('debug')
    log.debug('b', 'x'.repeat(2 * LOG_TEXT_MAX))
    expect(log.entries(1)[0].text).toHaveLength(LOG_TEXT_MAX + 1)
  })
})

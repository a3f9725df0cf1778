/**
 * What goes wrong in a world: each kind of fault comes at Poisson times from a stream of its own,
 * strikes an honest tab (or the network) and ends after a while. `heal` ends them all: from then on
 * everything works, and only the enemies stay.
 */
import { toHex } from '../../src/core/codec/ssz.ts'
import type { PeerId } from '../../src/ports/network.ts'
import { StorageError, type StorageFailure } from '../../src/ports/storage.ts'
import type { WrongBit } from './devices.ts'
import type { FaultOptions } from './options.ts'
import type { Seeded } from './seeded.ts'
import type { Tab } from './tab.ts'
import type { World } from './world.ts'

/** A connection to a tab that answers nothing is given up after this. */
const GIVEN_UP_MS = 30_000
/** Until the others notice that a tab is gone without a word. */
const NOTICE_MS = 12_000
/** A page that could not start is loaded again after this. */
const AGAIN_MS = 15_000
/** Timers of a hidden page come at multiples of this (Chromium, Firefox). */
const HIDDEN_TIMER_MS = 1_000
/** After healing the closed tabs are opened again within this. */
const REOPEN_MS = 5_000
/** One clock in so many is wrong by a hundred times as much. */
const VERY_WRONG = 10
const SLOWNESS = 8
/** Of tabs that compute wrong bits, those that never stop. */
const FOR_GOOD = 0.5
const WRONG_BITS: readonly WrongBit[] = ['weight', 'hot', 'hot', 'hash']

export class Faults {
  readonly #world: World
  readonly #o: FaultOptions
  readonly #random: Seeded
  /** Tabs that are away, frozen or on their way; nothing else of the kind happens to them. */
  readonly #busy = new Set<Tab>()
  readonly #closing = new Map<Tab, Promise<void>>()
  readonly #stale = new Set<Tab>()
  #group: ((tab: number) => number) | undefined
  #healed = false
  /** How often each kind has struck. */
  readonly counts: Record<string, number> = {}
  /** Tabs whose disks or devices have failed at any time. */
  readonly disks = new Set<Tab>()
  readonly devices = new Set<Tab>()
  /** The most that a tab's clock has ever been ahead, ms. */
  readonly aheadMs = new Map<Tab, number>()
  /** Tabs that have computed wrong bits, and so may believe anything. */
  readonly wrong = new Set<Tab>()
  /** Hashes they gave that are not those of the work, and who gave them. */
  readonly wrongResults = new Map<string, Tab>()
  /** The changes of the weights that go with them, by digest. */
  readonly wrongPayloads = new Map<string, Uint8Array>()
  readonly #wrongForGood = new Map<Tab, WrongBit>()
  /** What broke in here: a mistake of the simulator. */
  readonly mistakes: unknown[] = []

  constructor (world: World, o: FaultOptions) {
    this.#world = world
    this.#o = o
    this.#random = world.random.stream('faults')
    world.listen({
      opened: tab => {
        tab.session!.device.onWrong = ({ payload, payloadDigest, stateHash }) => {
          this.wrongResults.set(toHex(stateHash), tab)
          this.wrongPayloads.set(toHex(payloadDigest), payload)
        }
        this.#split()
      }
    })
  }

  /** Honest, and its device has always computed right. */
  sound (tab: Tab): boolean { return tab.honest && !this.wrong.has(tab) }

  start (): void {
    const o = this.#o
    const { faults } = this.#world.internet
    Object.assign(faults, { loss: o.loss, drop: o.drop, duplicate: o.duplicate, jitter: o.jitter })
    this.#clocks()
    this.#wrongBits()
    if (o.diskLatencyMs > 0) for (const tab of this.#honest()) tab.faults.diskLatencyMs = this.#random.stream(`disk ${tab.index}`).exponential(o.diskLatencyMs)
    this.#everyWorld('partition', o.partitionEveryMs, r => { this.#partition(r) })
    this.#everyWorld('one way', o.oneWayEveryMs, r => { this.#oneWay(r) })
    this.#everyWorld('relay', o.relayDownEveryMs, r => { this.#relay(r) })
    this.#everyTab('hide', o.hideEveryMs, (tab, r) => { this.#hide(tab, r) })
    this.#everyTab('freeze', o.freezeEveryMs, (tab, r) => { this.#freeze(tab, r) })
    this.#everyTab('close', o.closeEveryMs, (tab, r) => { this.#away(tab, this.#close(tab), this.#length(r)) })
    this.#everyTab('crash', o.crashEveryMs, (tab, r) => { this.#away(tab, this.#crash(tab, r), this.#length(r)) })
    this.#everyTab('reload', o.reloadEveryMs, (tab, r) => { this.#away(tab, r.chance(0.5) ? this.#close(tab) : this.#crash(tab, r), r.exponential(1_500)) })
    this.#everyTab('wipe', o.wipeEveryMs, (tab, r) => { this.#away(tab, this.#close(tab).then(() => { tab.wipe() }), this.#length(r)) })
    this.#everyTab('jump', o.jumpEveryMs, (tab, r) => { this.#jump(tab, r) })
    this.#everyTab('torn', o.tornEveryMs, (tab, r) => { this.#tear(tab, r) })
    this.#everyTab('quota', o.quotaEveryMs, (tab, r) => { this.#failDisk(tab, 'full', r) })
    this.#everyTab('gone', o.goneEveryMs, (tab, r) => { this.#failDisk(tab, 'gone', r) })
    this.#everyTab('lost', o.lostEveryMs, (tab, r) => { this.#device(tab, r, 'lost') })
    this.#everyTab('slow', o.slowEveryMs, (tab, r) => { this.#device(tab, r, 'slow') })
  }

  /** Everything works from now on, and every honest tab is open. */
  heal (): void {
    this.#healed = true
    this.#group = undefined
    const { internet } = this.#world
    internet.heal()
    const random = this.#random.stream('heal')
    for (const tab of this.#honest()) {
      const forGood = this.#wrongForGood.get(tab)
      Object.assign(tab.faults, { skewMs: 0, slowness: 1, wrongBit: forGood, diskLatencyMs: Math.min(2, tab.faults.diskLatencyMs) })
      tab.disk.fail(undefined)
      tab.diskEvents.cut = undefined
      const { session } = tab
      if (session !== undefined) {
        session.clock.skewMs = 0
        session.clock.throttleMs = 0
        session.device.slowness = 1
        session.device.lost = false
        session.device.wrongBit = forGood
        session.life.thaw()
        void session.node?.setEnvironment({ hidden: false, onBattery: false })
        // A store that was gone stays so for the page that had it open; a user loads the page anew.
        if (this.#stale.has(tab)) this.#kill(tab, NOTICE_MS)
      }
      this.#after(random.uniform() * REOPEN_MS, () => { this.#open(tab) }, true)
    }
    this.#busy.clear()
  }

  // --- times

  #honest (): Tab[] { return this.#world.tabs.filter(t => t.honest) }

  #length (r: Seeded): number { return r.exponential(this.#o.awayMs) }

  #outage (r: Seeded): number { return Math.min(r.exponential(this.#o.outageMs), this.#o.outageMostMs) }

  #after (ms: number, fn: () => void, healing = false): void {
    this.#world.scheduler.after(ms, () => { if (healing || !this.#healed) fn() })
  }

  #struck (name: string): void { this.counts[name] = (this.counts[name] ?? 0) + 1 }

  #everyWorld (name: string, meanMs: number, strike: (random: Seeded) => void): void {
    if (meanMs === 0) return
    const random = this.#random.stream(name)
    const next = (): void => {
      this.#after(random.exponential(meanMs), () => {
        this.#struck(name)
        strike(random)
        next()
      })
    }
    next()
  }

  #everyTab (name: string, meanMs: number, strike: (tab: Tab, random: Seeded) => void): void {
    if (meanMs === 0) return
    const random = this.#random.stream(name)
    const tabs = this.#honest()
    const next = (): void => {
      this.#after(random.exponential(meanMs / tabs.length), () => {
        const tab = random.pick(tabs)
        if (tab.up && !this.#busy.has(tab)) {
          this.#struck(name)
          strike(tab, random)
        }
        next()
      })
    }
    next()
  }

  #watch (p: Promise<void>): void { p.catch((e: unknown) => { this.mistakes.push(e) }) }

  // --- tabs that come and go

  /** Closed by `gone`, and open again after `ms`. */
  #away (tab: Tab, gone: Promise<void>, ms: number): void {
    this.#busy.add(tab)
    this.#watch(gone.then(() => {
      this.#after(ms, () => {
        this.#busy.delete(tab)
        this.#open(tab)
      })
    }))
  }

  #open (tab: Tab): void {
    if (tab.session !== undefined) return
    const closing = this.#closing.get(tab)
    if (closing !== undefined) {
      this.#watch(closing.then(() => { this.#open(tab) }))
      return
    }
    this.#watch(tab.open().catch((e: unknown) => {
      if (!(e instanceof StorageError)) throw e
      tab.crash(0)
      this.#after(AGAIN_MS, () => { this.#open(tab) }, true)
    }))
  }

  /** In good order; a page that is not up cannot. */
  async #close (tab: Tab): Promise<void> {
    if (!tab.up) return tab.crash(NOTICE_MS)
    const closing = tab.close().finally(() => { this.#closing.delete(tab) })
    this.#closing.set(tab, closing)
    await closing
  }

  async #crash (tab: Tab, r: Seeded): Promise<void> { tab.crash(r.exponential(NOTICE_MS)) }

  #kill (tab: Tab, noticeMs: number): void {
    this.#stale.delete(tab)
    tab.crash(noticeMs)
  }

  #hide (tab: Tab, r: Seeded): void {
    const session = tab.session!
    session.clock.throttleMs = HIDDEN_TIMER_MS
    this.#watch(session.node!.setEnvironment({ hidden: true, onBattery: r.chance(0.2) }))
    this.#after(this.#length(r), () => {
      if (tab.session !== session) return
      session.clock.throttleMs = 0
      this.#watch(session.node!.setEnvironment({ hidden: false, onBattery: false }))
    })
  }

  #freeze (tab: Tab, r: Seeded): void {
    const session = tab.session!
    this.#busy.add(tab)
    session.life.freeze()
    const { hub } = this.#world.internet
    this.#after(GIVEN_UP_MS, () => { if (tab.session === session && !session.life.up) for (const other of hub.links(session.id)) hub.disconnect(session.id, other) })
    this.#after(this.#length(r), () => {
      this.#busy.delete(tab)
      if (tab.session !== session) return
      // Some are thrown out of memory instead.
      if (r.chance(0.2)) this.#away(tab, this.#crash(tab, r), this.#length(r))
      else session.life.thaw()
    })
  }

  // --- the network

  #groupOf (id: PeerId): number { return this.#group?.(this.#world.tabs.findIndex(t => t.session?.id === id)) ?? 0 }

  #split (): void {
    if (this.#group === undefined) return
    const groups = new Map<number, PeerId[]>()
    for (const tab of this.#world.tabs) {
      if (tab.session === undefined) continue
      const group = this.#group(tab.index)
      groups.set(group, [...groups.get(group) ?? [], tab.session.id])
    }
    this.#world.internet.hub.partition([...groups.values()])
  }

  #partition (r: Seeded): void {
    if (this.#group !== undefined) return
    const { internet } = this.#world
    const parts = r.chance(0.7) ? 2 : 3
    const places = this.#world.tabs.map(() => r.uniform() ** 1.5)
    const group = this.#group = tab => Math.floor((places[tab] ?? 0) * parts)
    this.#split()
    internet.apart = (a, b) => this.#groupOf(a) !== this.#groupOf(b)
    this.#after(GIVEN_UP_MS, () => { if (this.#group === group) this.#giveUp() })
    this.#after(this.#outage(r), () => {
      this.#group = undefined
      internet.apart = undefined
      internet.hub.heal()
    })
  }

  /** Links on which nothing comes are closed. */
  #giveUp (): void {
    const { hub } = this.#world.internet
    for (const { session } of this.#world.tabs) {
      if (session === undefined) continue
      for (const other of hub.links(session.id)) if (this.#groupOf(other) !== this.#groupOf(session.id)) hub.disconnect(session.id, other)
    }
  }

  #oneWay (r: Seeded): void {
    const { internet, tabs } = this.#world
    const ids = r.shuffle(tabs.flatMap(t => t.session === undefined ? [] : [t.session.id]))
    const cut = 1 + r.below(Math.max(1, ids.length - 1))
    internet.blockOneWay(ids.slice(0, cut), ids.slice(cut))
    this.#after(this.#outage(r), () => { internet.blockOneWay([], []) })
  }

  #relay (r: Seeded): void {
    const { faults } = this.#world.internet
    faults.relayDown = true
    this.#after(this.#outage(r), () => { faults.relayDown = false })
  }

  // --- clocks, disks, devices

  #skew (tab: Tab, ms: number): void {
    tab.faults.skewMs = ms
    if (tab.session !== undefined) tab.session.clock.skewMs = ms
    this.aheadMs.set(tab, Math.max(this.aheadMs.get(tab) ?? 0, ms))
  }

  #clocks (): void {
    const { skewMs } = this.#o
    if (skewMs === 0) return
    const random = this.#random.stream('skew')
    for (const tab of this.#honest()) {
      const ms = random.between(-skewMs, skewMs)
      this.#skew(tab, random.below(VERY_WRONG) === 0 ? 100 * ms : ms)
    }
  }

  /** Until the system asks a time server again. */
  #jump (tab: Tab, r: Seeded): void {
    const before = tab.faults.skewMs
    this.#skew(tab, before + r.between(-this.#o.jumpMs, this.#o.jumpMs))
    this.#after(this.#length(r), () => { this.#skew(tab, before) })
  }

  /** The tab dies in the middle of its next commit. */
  #tear (tab: Tab, r: Seeded): void {
    const applied = r.chance(0.5)
    const away = this.#length(r)
    tab.diskEvents.cut = () => ({
      applied,
      die: () => {
        tab.diskEvents.cut = undefined
        if (tab.session !== undefined) this.#away(tab, this.#crash(tab, r), away)
        else tab.cutShort()
      }
    })
  }

  #failDisk (tab: Tab, kind: StorageFailure, r: Seeded): void {
    const { disk } = tab
    this.disks.add(tab)
    disk.fail(kind)
    if (kind === 'gone') this.#stale.add(tab)
    this.#after(this.#length(r), () => {
      disk.fail(undefined)
      if (kind === 'gone' && !this.#busy.has(tab) && this.#stale.has(tab)) {
        this.#kill(tab, NOTICE_MS)
        this.#open(tab)
      }
    })
  }

  #device (tab: Tab, r: Seeded, kind: 'lost' | 'slow'): void {
    const { device } = tab.session!
    this.devices.add(tab)
    if (kind === 'lost') device.lost = true
    else tab.faults.slowness = device.slowness = SLOWNESS
    this.#after(this.#length(r), () => {
      device.lost = false
      tab.faults.slowness = device.slowness = 1
    })
  }

  #wrongBits (): void {
    const random = this.#random.stream('wrong')
    const kinds = this.#random.stream('wrong kind')
    for (const tab of this.#honest()) {
      if (!random.chance(this.#o.wrongShare)) continue
      const from = random.between(0, 120_000)
      const forGood = random.chance(FOR_GOOD)
      const kind = kinds.pick(WRONG_BITS)
      this.#after(from, () => {
        this.#struck(`wrong ${kind}`)
        this.wrong.add(tab)
        // Whose time has not come before all is healed stays sound.
        if (forGood) this.#wrongForGood.set(tab, kind)
        this.#computesWrong(tab, kind)
        if (!forGood) this.#after(this.#length(random), () => { this.#computesWrong(tab, undefined) })
      })
    }
  }

  #computesWrong (tab: Tab, wrong: WrongBit | undefined): void {
    tab.faults.wrongBit = wrong
    if (tab.session !== undefined) tab.session.device.wrongBit = wrong
  }
}

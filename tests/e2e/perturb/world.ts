/**
 * The tabs under test, what is done to them, and what is asked of them afterwards. A world of
 * profiles, each a browser of its own with some tabs, one server, and the oracle that remembers.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatAddress } from '../../../src/core/codec/address.ts'
import { fromHex, toHex } from '../../../src/core/codec/ssz.ts'
import { isConserved } from '../../../src/core/ledger/state.ts'
import { TEST } from '../../../src/core/params.ts'
import { type ServerProcess, startServer } from '../../../src/cli/serverProcess.ts'
import { checkAccount, checkDisk, checkKeys, checkReturn, checkSameKeys, type Checked, givenUpBy, identityDatabase, type Loss } from './checks.ts'
import type { Report, Shown } from './inPage.ts'
import { type Identity, type KnownBlock, Oracle } from './oracle.ts'
import { COMMIT_WAIT_MS, describe, type KillKind, type Step } from './plan.ts'
import { type Listener, Profile, type Seat, signal } from './seat.ts'
import type { ProfileDump } from './witness.ts'

export interface Failure extends Loss { readonly step: string }

export interface Figures {
  readonly kills: Record<KillKind | 'boot' | 'power', number>
  readonly others: Record<Exclude<Step['action']['kind'], 'kill'>, number>
  /** Kills that came while a block was being written. */
  atCommit: number
  blocksChecked: number
  /** Blocks of others that a dead tab had shown and not yet written: fetched again. */
  inFlight: number
  /** Times a browser that had just come back could not open a database yet. */
  notYetOpened: number
  /** Accounts compared with the ledger of the chain they follow. */
  creditsChecked: number
  transactionsSent: number
  transactionsChecked: number
  /** Called sent, and then said not to be: on the chain that won the credits were missing, or another had its place. */
  transactionsGivenUp: number
  slicesChecked: number
  returns: number
  /** Returns that showed a neighbour's heavier chain at once. */
  returnsHeard: number
  duplicateSlices: number
  readonly backMs: number[]
  readonly workingMs: number[]
}

/** Seconds on a free machine; where four tabs share two cores a chain may not be redone in time, and its peer is left alone for two minutes, more than once. */
const AGREE_MS = 600_000
/** Where they are is said so often while they do not agree. */
const SAY_MS = 30_000
/** And what they think of it, once, so much after they were let be. */
const LOGS_MS = 100_000
const LOG_LINES = 60
/** Tabs are let come to work for so long; one that is frozen or cut off may take longer. */
const SETTLE_MS = 20_000
const SEND_AMOUNT = 1_000n
/** A sent transaction this deep in the chain is not looked for any more. */
const SETTLED_BLOCKS = 20

/** Two lanes, for what only two at once can get wrong; little of the time, for all tabs share one machine. */
async function work (seat: Seat): Promise<void> {
  await seat.page!.evaluate(async () => { await window.commonweight!.setMining({ on: true, workers: 2, duty: 0.2, backend: 'wasm' }) })
}

export class World implements Listener {
  readonly oracle = new Oracle()
  readonly failures: Failure[] = []
  readonly figures: Figures = {
    kills: { crash: 0, close: 0, renderers: 0, browser: 0, boot: 0, power: 0 },
    others: { reload: 0, freeze: 0, cut: 0, relay: 0, throttle: 0, stop: 0, pressure: 0 },
    atCommit: 0, blocksChecked: 0, inFlight: 0, notYetOpened: 0, creditsChecked: 0, transactionsSent: 0, transactionsChecked: 0, transactionsGivenUp: 0, slicesChecked: 0, returns: 0, returnsHeard: 0, duplicateSlices: 0, backMs: [], workingMs: []
  }

  /** Losses are kept and not said, where they are planted. */
  quiet = false
  readonly profiles: Profile[] = []
  readonly identities = new Map<string, Identity>()
  readonly #seatOf = new Map<Seat, Identity>()
  readonly #server: ServerProcess
  readonly #dataDir: string
  readonly #step: string[] = []
  #serverUp: Promise<void> = Promise.resolve()

  private constructor (server: ServerProcess, dataDir: string) {
    this.#server = server
    this.#dataDir = dataDir
  }

  static async open (profiles: number, tabs: number): Promise<World> {
    const dataDir = await mkdtemp(join(tmpdir(), 'commonweight-perturb-server-'))
    const world = new World(await startServer({ network: 'test', dataDir }), dataDir)
    for (let i = 0; i < profiles; i++) {
      world.#step[i] = 'start'
      world.profiles.push(await Profile.create(i, tabs, world.#server.url, world))
    }
    await Promise.all(world.profiles.flatMap(p => p.seats).map(async seat => {
      await world.#open(seat)
      await world.#hire(seat)
    }))
    return world
  }

  get url (): string { return `${this.#server.url}?network=test` }
  get kills (): number { return Object.values(this.figures.kills).reduce((x, y) => x + y) }
  identity (seat: Seat): Identity | undefined { return this.#seatOf.get(seat) }

  // --- what the tabs tell

  report (seat: Seat, report: Report): void {
    const now = Date.now()
    if (report.kind === 'error') { this.trouble(seat, report.text); return }
    if (report.kind === 'block') {
      this.oracle.saw(report.block)
      const who = this.#seatOf.get(seat)
      if (who !== undefined && !who.shownAt.has(report.block.hash)) who.shownAt.set(report.block.hash, now)
      return
    }
    const { view } = report
    if (report.kind === 'first') this.#seatOf.set(seat, this.#identify(seat, view))
    const who = this.#seatOf.get(seat)
    if (who === undefined) return
    if (report.kind === 'first') who.diedAt = undefined
    if (report.kind === 'view') {
      if (view.phase === 'storage-failed') this.trouble(seat, view.detail)
      if (view.replayFailures > 0) this.trouble(seat, `${view.replayFailures} replays failed`)
      if (seat.working && seat.openedAt > 0) {
        this.figures.workingMs.push(now - seat.openedAt)
        seat.openedAt = 0
      }
    }
    this.figures.duplicateSlices = Math.max(this.figures.duplicateSlices, view.duplicateSlices)
    who.shown = view
    if (!who.shownAt.has(view.head)) who.shownAt.set(view.head, now)
  }

  trouble (seat: Seat, text: string): void { this.fail(seat.profile.index, [{ what: 'damage', detail: `${seat.name}: ${text}` }]) }

  fail (lane: number, losses: readonly Loss[]): void {
    for (const loss of losses) {
      const failure = { ...loss, step: this.#step[lane] }
      this.failures.push(failure)
      if (!this.quiet) process.stderr.write(`LOSS of ${loss.what} at ${failure.step}: ${loss.detail}\n`)
    }
  }

  #identify (seat: Seat, view: Shown): Identity {
    const name = `${seat.profile.index}/${view.slot}`
    const known = this.identities.get(name)
    if (known !== undefined) return known
    const fresh: Identity = { profile: seat.profile.index, slot: view.slot, database: identityDatabase(view.slot), miner: view.miner, key: view.key, shown: undefined, shownAt: new Map(), acknowledged: new Map(), still: undefined, diedAt: undefined, hired: false }
    this.identities.set(name, fresh)
    return fresh
  }

  // --- coming back

  /** One that holds its slot for the first time does nothing by itself. */
  async #hire (seat: Seat): Promise<void> {
    const who = this.#seatOf.get(seat)!
    if (who.hired) return
    await work(seat)
    who.hired = true
  }

  readonly serverUp = async (): Promise<void> => { await this.#serverUp }

  async #open (seat: Seat): Promise<void> {
    await seat.open(this.url, this.serverUp)
    await seat.up(this.serverUp)
  }

  /** What the disk of these dead tabs holds is checked before they are opened again. */
  async autopsy (profile: Profile, dead: readonly Identity[], diedAt: number, shown = (who: Identity): string | undefined => who.shown?.head): Promise<Map<Identity, Checked>> {
    return await this.#read(profile, dead, diedAt, who => this.oracle.minedBy(who.miner), shown)
  }

  /** The same of tabs that live: what they show while their disks are read may be too new to be on them. */
  async checkUp (profile: Profile, living: readonly Identity[]): Promise<void> {
    const own = new Map(living.map(who => [who, this.oracle.minedBy(who.miner)]))
    await this.#read(profile, living, Date.now(), who => own.get(who)!, who => who.shown?.head)
  }

  async #read (profile: Profile, dead: readonly Identity[], diedAt: number, own: (who: Identity) => readonly KnownBlock[], shown: (who: Identity) => string | undefined): Promise<Map<Identity, Checked>> {
    const known = [...this.oracle.blocks.values()].filter(b => b.body !== undefined && b.height > this.oracle.top - 250).map(b => b.hash)
    let dump: ProfileDump
    try {
      dump = await profile.witness.read(profile.context, dead.map(d => d.database), known)
    } catch (e) {
      throw new Error(`${e instanceof Error ? e.message : String(e)}\n${await profile.databaseLog()}`)
    }
    this.figures.notYetOpened += dump.notYet
    if (dump.gone.length > 0) {
      const left = await profile.keepLeft()
      if (!this.quiet) process.stderr.write(`${dump.gone.join(', ')} gone; ${await profile.databaseLog()}\n${left === undefined ? '' : `as the killed browser had left them: ${left}\n`}`)
    }
    const checked = new Map<Identity, Checked>()
    const f = this.figures
    for (const who of dead) {
      const givenUp = givenUpBy(this.oracle, dump, who.key)
      const node = dump.nodes.find(n => n.name === who.database)
      if (node === undefined) {
        this.fail(profile.index, [{ what: 'damage', detail: `profile ${who.profile} slot ${who.slot}: its database is gone${dump.seed === undefined ? ', and the wallet with it' : ''}` }])
        continue
      }
      const c = checkDisk(this.oracle, who, node, Math.min(diedAt, who.diedAt ?? diedAt), own(who), givenUp, shown(who))
      checked.set(who, c)
      f.blocksChecked += c.blocks
      f.inFlight += c.inFlight
      f.transactionsChecked += c.transactions
      f.slicesChecked += c.slices
      this.fail(profile.index, c.losses)
      for (const id of givenUp) if (who.acknowledged.delete(id)) f.transactionsGivenUp++
      this.#forgetSettled(who, c)
    }
    this.fail(profile.index, checkKeys(dump, profile.index, [...this.identities.values()].filter(i => i.profile === profile.index)))
    return checked
  }

  #forgetSettled (who: Identity, { best }: Checked): void {
    const deep = [...this.oracle.branch(toHex(best.hash), SETTLED_BLOCKS)].at(-1)
    for (const id of who.acknowledged.keys()) if (deep !== undefined && this.oracle.contains(deep.hash, id, 60)) who.acknowledged.delete(id)
    for (const hash of who.shownAt.keys()) if ((this.oracle.blocks.get(hash)?.height ?? 0) < this.oracle.top - 200) who.shownAt.delete(hash)
  }

  /** A tab comes back: what it shows first is held against its disk. */
  async back (seat: Seat, disks: ReadonlyMap<Identity, Checked>): Promise<void> {
    const from = Date.now()
    await this.#open(seat)
    this.figures.backMs.push(Date.now() - from)
    const who = this.#seatOf.get(seat)!
    const disk = disks.get(who)
    this.figures.returns++
    if (disk === undefined) {
      this.fail(seat.profile.index, checkSameKeys(who, seat.first!))
      await this.#hire(seat)
      return
    }
    const { losses, heard } = checkReturn(this.oracle, who, disk.best, seat.first!)
    this.fail(seat.profile.index, losses)
    if (losses.length > 0) await this.#sayLog(seat)
    if (heard) this.figures.returnsHeard++
    else this.figures.creditsChecked++
    await this.#hire(seat)
  }

  // --- what is done to them

  /** A step and the pause before it; a tab that does not come back after it counts as lost. */
  async act (step: Step): Promise<void> {
    this.#step[step.lane] = describe(step)
    try {
      const { seats } = this.profiles[step.lane]
      for (const until = Date.now() + SETTLE_MS; step.settle && Date.now() < until && seats.some(s => !s.working);) await sleep(100)
      await sleep(step.pauseMs)
      await this.#act(step)
    } catch (e) {
      this.fail(step.lane, [{ what: 'start', detail: e instanceof Error ? e.stack ?? e.message : String(e) }])
    }
  }

  async #act (step: Step): Promise<void> {
    const profile = this.profiles[step.lane]
    const a = step.action
    if (a.kind !== 'kill') this.figures.others[a.kind]++
    switch (a.kind) {
      case 'kill': { await this.kill(profile, a); return }
      case 'reload': { await this.#reload(profile.seats[a.tab]); return }
      case 'freeze': { await this.#still(profile.seats[a.tab], a.ms); return }
      case 'cut': {
        const { page } = profile.seats[a.tab]
        await page?.evaluate(() => { window.perturbCut(true) })
        setTimeout(() => { void page?.evaluate(() => { window.perturbCut(false) }).catch(() => {}) }, a.ms)
        return
      }
      case 'relay': { await this.#relay(a.ms); return }
      case 'throttle': {
        const cdp = await profile.seats[a.tab].session()
        await cdp.send('Emulation.setCPUThrottlingRate', { rate: a.rate })
        setTimeout(() => { void cdp.send('Emulation.setCPUThrottlingRate', { rate: 1 }).catch(() => {}) }, a.ms)
        return
      }
      case 'stop': {
        const pids = await profile.pids()
        for (const pid of pids) signal(pid, 'SIGSTOP')
        for (const seat of profile.seats) this.#mark(seat, a.ms)
        setTimeout(() => { for (const pid of pids) signal(pid, 'SIGCONT') }, a.ms)
        return
      }
      case 'pressure': { await profile.pressure(); return }
      default: a satisfies never
    }
  }

  /** Kills tabs, checks what is left of them, and opens them again. */
  async kill (profile: Profile, a: Extract<Step['action'], { kind: 'kill' }>): Promise<void> {
    const seats = a.tabs.map(i => profile.seats[i])
    await profile.pids()
    if (a.sendMs !== undefined && await this.send(profile)) await sleep(a.sendMs)
    if (a.aim === 'commit') {
      const began = Date.now()
      await Promise.race(seats.map(async s => { await s.commit(COMMIT_WAIT_MS) }))
      if (Date.now() - began < COMMIT_WAIT_MS) this.figures.atCommit += seats.length
      await sleep(a.afterMs)
    }
    const { diedAt, dead } = await this.die(profile, seats, a.how)
    this.figures.kills[a.how] += seats.length
    const disks = await this.autopsy(profile, dead, diedAt)
    for (const ms of a.againMs) await this.#dieAtBoot(seats, ms, disks)
    await Promise.all(seats.map(async s => { await this.back(s, disks) }))
  }

  /** Ends the tabs and leaves them dead. */
  async die (profile: Profile, seats: readonly Seat[], how: KillKind): Promise<{ readonly diedAt: number, readonly dead: Identity[] }> {
    const dead = [...new Set(seats.map(s => this.#seatOf.get(s)).filter(i => i !== undefined))]
    switch (how) {
      case 'crash': await Promise.all(seats.map(async s => { await s.crash() })); break
      case 'close': await Promise.all(seats.map(async s => { await s.close() })); break
      case 'renderers': profile.killRenderers(); break
      case 'browser': await profile.killBrowser(); break
      default: how satisfies never
    }
    const diedAt = Date.now()
    if (how === 'browser') await profile.launch()
    for (const s of seats) await s.page?.close().catch(() => {})
    for (const who of dead) who.diedAt = diedAt
    return { diedAt, dead }
  }

  /** A second death while the app loads, reads its disk and joins. */
  async #dieAtBoot (seats: readonly Seat[], ms: number, disks: Map<Identity, Checked>): Promise<void> {
    await Promise.all(seats.map(async s => { await s.open(this.url, this.serverUp) }))
    await sleep(ms)
    await Promise.all(seats.map(async s => { await s.crash() }))
    const diedAt = Date.now()
    this.figures.kills.boot += seats.length
    // Until a tab shows something nobody knows which of the dead it was: all of their disks are looked at.
    const up = new Set(seats.flatMap(s => s.first === undefined ? [] : [this.#seatOf.get(s)!]))
    const dead = new Set([...disks.keys(), ...up])
    for (const who of dead) who.diedAt ??= diedAt
    // A restart lets go of a chain that was joined by a ledger and not settled: from then on what it must go on from is owed, whatever was shown before.
    const best = (who: Identity): string | undefined => { const c = disks.get(who); return c === undefined ? undefined : toHex(c.best.hash) }
    const again = await this.autopsy(seats[0].profile, [...dead], diedAt, who => up.has(who) ? who.shown?.head : best(who))
    disks.clear()
    for (const [who, c] of again) disks.set(who, c)
  }

  async #reload (seat: Seat): Promise<void> {
    const who = this.#seatOf.get(seat)
    seat.first = undefined
    seat.working = false
    seat.openedAt = Date.now()
    const leftAt = Date.now()
    await seat.page?.reload({ waitUntil: 'commit' }).catch(() => {})
    await seat.up(this.serverUp)
    const now = this.#seatOf.get(seat)!
    if (who !== undefined && who !== now) who.diedAt = leftAt
    await this.#hire(seat)
    if (who !== undefined) await this.checkUp(seat.profile, [who])
  }

  async #still (seat: Seat, ms: number): Promise<void> {
    const cdp = await seat.session()
    await cdp.send('Page.setWebLifecycleState', { state: 'frozen' })
    this.#mark(seat, ms)
    setTimeout(() => { void cdp.send('Page.setWebLifecycleState', { state: 'active' }).catch(() => {}) }, ms)
  }

  #mark (seat: Seat, ms: number): void {
    const who = this.#seatOf.get(seat)
    if (who !== undefined) who.still = { from: Date.now(), to: Date.now() + ms }
  }

  async #relay (ms: number): Promise<void> {
    await this.#serverUp
    await this.#server.kill()
    this.#serverUp = sleep(ms).then(async () => { await this.#server.restart() })
  }

  /** From the wallet's first tab alone: two tabs of one wallet would both take the next nonce. */
  async send (profile: Profile): Promise<boolean> {
    const seat = profile.seats.find(s => s.first?.slot === 0)
    const who = seat === undefined ? undefined : this.#seatOf.get(seat)
    const to = [...this.identities.values()].find(i => i.profile !== profile.index)?.key
    if (who === undefined || to === undefined) return false
    const address = formatAddress(fromHex(to, 32)!)
    const sent = await Promise.race([
      seat!.page!.evaluate(async o => {
        const out = await window.commonweight!.send(o.address, BigInt(o.amount), BigInt(o.fee))
        return out.ok ? out.value.id : undefined
      }, { address, amount: String(SEND_AMOUNT), fee: String(TEST.minFee) }).catch(() => undefined),
      sleep(3_000).then(() => undefined)
    ])
    if (sent === undefined) return false
    who.acknowledged.set(sent, Date.now())
    this.figures.transactionsSent++
    return true
  }

  // --- healing

  /** All tabs come to one head, and every disk and every account is in order. */
  async heal (name: string): Promise<void> {
    this.#step.fill(name)
    await this.#serverUp
    const seats = this.profiles.flatMap(p => p.seats)
    const deadline = Date.now() + AGREE_MS
    const heads = (): Array<string | undefined> => seats.map(s => this.#seatOf.get(s)?.shown?.head)
    const where = (): string => seats.map(s => { const v = this.#seatOf.get(s)?.shown; return `${s.name} ${v?.phase} ${v?.height} ${v?.head.slice(0, 8)} with ${v?.tabs} tabs${s.working ? '' : ', not working'}` }).join('; ')
    let sayAt = Date.now() + SAY_MS
    let logsAt = Date.now() + LOGS_MS
    while (new Set(heads()).size > 1 || seats.some(s => !s.working)) {
      if (Date.now() > deadline) {
        await Promise.all(seats.map(async s => { await this.#sayLog(s) }))
        this.fail(0, [{ what: 'convergence', detail: where() }])
        return
      }
      if (Date.now() > sayAt) {
        process.stderr.write(`no agreement yet: ${where()}\n`)
        sayAt += SAY_MS
      }
      if (Date.now() > logsAt) {
        await Promise.all(seats.map(async s => { await this.#sayLog(s) }))
        logsAt = Infinity
      }
      await sleep(200)
    }
    const shown = seats.map(s => ({ who: this.#seatOf.get(s)!, view: this.#seatOf.get(s)!.shown! }))
    for (const profile of this.profiles) await this.checkUp(profile, [...this.identities.values()].filter(i => i.profile === profile.index))
    for (const { who, view } of shown) {
      this.figures.creditsChecked++
      this.fail(who.profile, checkAccount(this.oracle, who, view))
    }
    const meta = this.oracle.meta(shown[0].view.head)
    if (meta !== undefined && !isConserved(meta.ledger)) this.fail(0, [{ what: 'credit', detail: `supply is not conserved at block ${meta.height}` }])
    for (const slice of this.oracle.reusedSlices()) this.fail(0, [{ what: 'slice', detail: `worked on twice: ${slice}` }])
    const { height } = shown[0].view
    const nowhere = [...this.oracle.blocks.values()].filter(b => b.height > height - 60 && b.height > 0 && b.claim === undefined)
    // The newest may have come after the disks were read.
    for (const b of nowhere.filter(x => x.height < height - 3)) this.fail(0, [{ what: 'block', detail: `block ${b.height} ${b.hash.slice(0, 8)} was shown and is on no disk` }])
  }

  /** What a tab thought of it. */
  async #sayLog (seat: Seat): Promise<void> {
    const lines = await Promise.race([
      // What it mined and shared says nothing of why it is where it is, and would be all that there is.
      seat.page?.evaluate(async n => (await window.commonweight!.logs(2_000)).filter(l => l.level !== 'info' || !['trainer', 'torrents'].includes(l.area)).slice(-n).map(l => `${new Date(l.timeMs).toISOString().slice(11, 23)} ${l.level} ${l.area}: ${l.text}`), LOG_LINES).catch(() => undefined),
      sleep(10_000).then(() => undefined)
    ])
    process.stderr.write(`${seat.name}:\n${(lines ?? ['does not answer']).map(l => `  ${l}\n`).join('')}`)
  }

  /** Every browser at the same moment: nobody is left who could hand anything back. */
  async powerCut (name: string): Promise<void> {
    this.#step.fill(name)
    for (const p of this.profiles) await p.pids()
    const died = await Promise.all(this.profiles.map(async p => ({ p, ...await this.die(p, p.seats, 'browser') })))
    this.figures.kills.power += this.profiles.reduce((n, p) => n + p.seats.length, 0)
    const disks = new Map<Identity, Checked>()
    for (const { p, dead, diedAt } of died) for (const [who, c] of await this.autopsy(p, dead, diedAt)) disks.set(who, c)
    await Promise.all(this.profiles.flatMap(p => p.seats).map(async s => { await this.back(s, disks) }))
  }

  async close (): Promise<void> {
    await this.#serverUp
    for (const p of this.profiles) await p.destroy()
    await this.#server.kill()
    await rm(this.#dataDir, { recursive: true, force: true })
  }
}

async function sleep (ms: number): Promise<void> { await new Promise(resolve => setTimeout(resolve, ms)) }

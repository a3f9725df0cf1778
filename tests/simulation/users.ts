/**
 * People: they send credits to one another, have models trained for a fee, change their minds, and
 * let jobs run out. What their wallets took is remembered, for watch.ts.
 */
import { formatAddress } from '../../src/core/codec/address.ts'
import { encodeJobSpec, type JobSpec } from '../../src/core/codec/jobSpec.ts'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_TRANSFER, type Transaction } from '../../src/core/codec/wire.ts'
import { jobId, specHash } from '../../src/core/crypto/ids.ts'
import { account } from '../../src/core/ledger/state.ts'
import { utf8Bytes } from '../../src/core/training/utf8.ts'
import type { Node } from '../../src/node/node.ts'
import type { UserOptions } from './options.ts'
import { type Payment, paymentOf } from './payments.ts'
import type { Seeded } from './seeded.ts'
import type { Tab } from './tab.ts'
import type { World } from './world.ts'

/** A transaction that the sender's own node has taken. */
export interface Sent { readonly tab: Tab, readonly profile: number, readonly id: string, readonly nonce: number, readonly kind: 'transfer' | 'job' | 'cancellation', readonly atMs: number }

export class Users {
  readonly #world: World
  readonly #random: Seeded
  readonly #o: UserOptions
  #on = true
  readonly sent: Sent[] = []
  /** All that a wallet was asked for, taken or not: a page may end before it says so. */
  readonly asked: Payment[] = []
  readonly counts = { transfers: 0, jobs: 0, cancellations: 0, refused: 0 }
  /** What broke in here: a mistake of the simulator. */
  readonly mistakes: unknown[] = []

  constructor (world: World, o: UserOptions) {
    this.#world = world
    this.#o = o
    this.#random = world.random.stream('users')
  }

  start (): void {
    const { jobEveryMs, sendEveryMs } = this.#o
    const people = this.#world.tabs.filter(t => t.honest)
    if (sendEveryMs > 0) this.#every('send', sendEveryMs / people.length, people, async (tab, r) => { await this.#send(tab, r) })
    if (jobEveryMs > 0) this.#every('job', jobEveryMs, people, async (tab, r) => { await this.#post(tab, r) })
  }

  stop (): void { this.#on = false }

  #every (name: string, meanMs: number, people: readonly Tab[], act: (tab: Tab, random: Seeded) => Promise<void>): void {
    const random = this.#random.stream(name)
    const next = (): void => {
      this.#world.scheduler.after(random.exponential(meanMs), () => {
        if (!this.#on) return
        const tab = random.pick(people)
        if (tab.up) act(tab, random).catch((e: unknown) => { this.mistakes.push(e) })
        next()
      })
    }
    next()
  }

  #balance (tab: Tab): bigint { return account(tab.node!.chain.head().ledger, tab.node!.payee).balance }

  async #send (tab: Tab, r: Seeded): Promise<void> {
    const node = tab.node!
    const to = r.pick(this.#world.tabs).node?.payee
    // More than there is, now and then.
    const amount = this.#balance(tab) * BigInt(1 + r.below(110)) / 100n
    if (to === undefined || amount === 0n) return
    const fee = node.params.minFee * BigInt(1 + r.below(20))
    this.counts.transfers++
    this.#ask(node, { selector: ACTION_TRANSFER, value: { to, amount } }, fee)
    await this.#taken(tab, 'transfer', node.wallet.nextNonce(), node.wallet.send(formatAddress(to), amount, fee))
  }

  async #post (tab: Tab, r: Seeded): Promise<void> {
    const node = tab.node!
    const { benchmark, data } = { benchmark: this.#world.spec, data: this.#world.data.ref }
    const spec: JobSpec = { ...benchmark, name: utf8Bytes(`job ${this.counts.jobs}`)!, seed: r.bytes(32), rounds: 1 + r.below(20), data }
    const balance = this.#balance(tab)
    const burn = balance / 20n
    const escrow = balance * BigInt(10 + r.below(60)) / 100n
    if (burn < node.params.minFee || escrow < 100n) return
    const nonce = node.wallet.nextNonce()
    const value = { spec: encodeJobSpec(spec), escrow, pricePerContribution: escrow / BigInt(1 + r.below(100)), burn, deadline: node.chain.head().height + 8 + r.below(40) }
    this.counts.jobs++
    this.#ask(node, { selector: ACTION_POST_JOB, value }, node.params.minFee)
    await this.#taken(tab, 'job', nonce, node.wallet.postJob(value, node.params.minFee))
    if (r.chance(0.3)) this.#world.scheduler.after(r.exponential(60_000), () => { this.#cancel(tab, tab.profile, jobId(specHash(spec), node.payee, nonce)) })
  }

  #cancel (tab: Tab, profile: number, job: Uint8Array): void {
    const { node } = tab
    if (!this.#on || node === undefined || !tab.up || tab.profile !== profile) return
    this.counts.cancellations++
    this.#ask(node, { selector: ACTION_CANCEL_JOB, value: { job } }, node.params.minFee)
    this.#taken(tab, 'cancellation', node.wallet.nextNonce(), node.wallet.cancelJob(job)).catch((e: unknown) => { this.mistakes.push(e) })
  }

  #ask ({ payee }: Node, action: Transaction['action'], fee: bigint): void { this.asked.push(paymentOf({ from: payee, action, fee })!) }

  async #taken (tab: Tab, kind: Sent['kind'], nonce: number, outcome: Promise<{ readonly ok: true, readonly value: { readonly id: string } } | { readonly ok: false }>): Promise<void> {
    const { profile } = tab
    const result = await outcome
    if (result.ok) this.sent.push({ tab, profile, id: result.value.id, nonce, kind, atMs: this.#world.elapsed })
    else this.counts.refused++
  }
}

/**
 * An auditor of chains: told the bytes of every block that some node holds, it says what is wrong with
 * them. It is a second implementation from docs/protocol.md and docs/exact.md, slow and plain, and
 * shares no rule with src/; only the arithmetic inside a slice is that of the reference kernels, and the tabs compute by others.
 * A block is judged once, on its parent, however many nodes hold it. What follows from something
 * that was already named is not named again.
 */
import { createHash } from 'node:crypto'
import { H, type Hex, hexOf, ZEROS } from './bytes.ts'
import { ancestorAt, drawingHeight, drawnJob, isOn } from './draws.ts'
import { headerFindings, workOf } from './headers.ts'
import { type Agreement, agreementOf, type Held, rewardsOf, type Rewards, workedTwiceOn, type WorkedTwice } from './history.ts'
import { Ledger } from './ledger.ts'
import { readSnapshot, rootOf, type Snapshot, snapshotOf } from './ledgerRoot.ts'
import { type AuditParams, genesisText, MAX_BODY_BYTES, MAX_RECEIPTS_PER_BLOCK } from './numbers.ts'
import { type Replayed, Replayer, type Supply } from './replay.ts'
import { sealFinding, type SealPlace } from './seals.ts'
import { signatureChecker, type Verify } from './signatures.ts'
import { firstState, stateHash } from './states.ts'
import { moneyFindings } from './money.ts'
import type { Entry } from './tree.ts'
import type { Finding, Violation, ViolationName } from './violations.ts'
import { type Block, bodyBytes, claimId, readBlock, readSpec, receiptMessage, sealHash, type Spec, specHash, templateHash, ticketOf, type Transaction, transactionId } from './wire.ts'

export interface AuditResult {
  /** Hash of the block; of bytes that are no block, that of the bytes. */
  readonly id: Hex
  readonly height: number
  /** False where it had been added before: then the violations are those of the first time. */
  readonly fresh: boolean
  readonly violations: readonly Violation[]
}

/** What a node says of its head; what is absent is not looked at. */
export interface HeadClaim {
  readonly id: Hex
  readonly height?: number
  readonly work?: bigint
}

export class Auditor {
  readonly params: AuditParams
  readonly genesis: Entry
  readonly #verify: Verify
  readonly #entries = new Map<Hex, Entry>()
  /** Bytes seen before, by their hash (a quick one of the runtime's): most nodes hold the same blocks. */
  readonly #bytes = new Map<Hex, AuditResult>()
  /** Blocks held that have something wrong with them. */
  readonly #wrong = new Set<Hex>()
  /** Where something that may be on a chain once was seen. */
  readonly #seen = new Map<string, Entry[]>()
  readonly #all: Violation[] = []
  readonly #replayer: Replayer

  /** `benchmark`: the encoded spec of the job in the genesis block, `offerShare` its share. `verify`: where others of the process remember signatures too. */
  constructor (params: AuditParams, benchmark: Uint8Array, verify: Verify = signatureChecker(), offerShare?: number) {
    this.params = params
    this.#verify = verify
    const spec = readSpec(benchmark)
    if ('wrong' in spec) throw new Error(`no spec: ${spec.wrong}`)
    this.genesis = this.#genesis(benchmark, spec.value, offerShare)
    this.#entries.set(this.genesis.id, this.genesis)
    this.#replayer = new Replayer(this.genesis)
  }

  /** Of all that was added, in order. */
  get violations (): readonly Violation[] { return this.#all }
  /** Distinct blocks held, genesis aside. */
  get blockCount (): number { return this.#entries.size - 1 }
  has (id: Hex): boolean { return this.#entries.has(id) }
  height (id: Hex): number | undefined { return this.#entries.get(id)?.height }
  /** Of the block and all before it; undefined if it was never added. */
  work (id: Hex): bigint | undefined { return this.#entries.get(id)?.work }
  /** The ledger after a block, as it should be. */
  ledger (id: Hex): Ledger | undefined { return this.#entries.get(id)?.ledger }
  snapshot (id: Hex): Snapshot | undefined {
    const entry = this.#entries.get(id)
    return entry === undefined ? undefined : snapshotOf(entry.ledger)
  }

  /** The blocks from the first one to `id`. */
  chain (id: Hex): Hex[] {
    const ids: Hex[] = []
    for (let e = this.#entries.get(id); e?.parent !== undefined; e = e.parent) ids.push(e.id)
    return ids.reverse()
  }

  /** Ids of the contributions that the chain up to `id` has sealed, so many blocks below it or deeper. */
  sealed (id: Hex, depth = 0): Set<Hex> {
    const head = this.#entries.get(id)
    const ids = new Set<Hex>()
    for (let e = head; e?.block !== undefined; e = e.parent) {
      if (head!.height - e.height >= depth) for (const { seal } of e.block.body.seals) for (const c of seal.contributions) ids.add(hexOf(claimId(c)))
    }
    return ids
  }

  /** Judges a block. Its parent must have been added before. */
  add (blockBytes: Uint8Array): AuditResult {
    const name = createHash('sha256').update(blockBytes).digest('hex')
    const known = this.#bytes.get(name)
    if (known !== undefined) return { ...known, fresh: false }
    const result = this.#judge(blockBytes, name)
    this.#bytes.set(name, result)
    this.#all.push(...result.violations)
    return result
  }

  /** Whether what a node says of its head is so. */
  head (claim: HeadClaim): Violation[] {
    const entry = this.#entries.get(claim.id)
    const found: Finding[] = []
    if (entry === undefined) found.push(['head-unknown', 'no such block was added'])
    else {
      if (claim.height !== undefined && claim.height !== entry.height) found.push(['head-height', `says ${claim.height}, is ${entry.height}`])
      if (claim.work !== undefined && claim.work !== entry.work) found.push(['head-work', `says ${claim.work}, is ${entry.work}`])
    }
    return this.#name(claim.id, entry?.height ?? 0, found)
  }

  /** Whether a node whose clock says `clockMs` may take block `id`. */
  taken (id: Hex, clockMs: number): Violation[] {
    const entry = this.#entries.get(id)
    if (entry === undefined) return this.#name(id, 0, [['head-unknown', 'no such block was added']])
    const ahead = entry.header.template.time - clockMs
    return this.#name(id, entry.height, ahead > this.params.futureMs ? [['header-time-future', `${ahead} ms ahead of the clock, at most ${this.params.futureMs}`]] : [])
  }

  /** Whether a node that holds all of `others`, redone, may have this head: fork choice, docs/protocol.md, section 12. */
  headAmong (id: Hex, others: readonly Hex[]): Violation[] {
    const head = this.#entries.get(id)
    if (head === undefined) return this.#name(id, 0, [['head-unknown', 'no such block was added']])
    const better = others.find(other => {
      const o = this.#entries.get(other)
      if (o === undefined || o === head) return false
      if (o.work !== head.work) return o.work > head.work
      const [x, y] = [hexOf(o.ticket), hexOf(head.ticket)]
      return x !== y ? x < y : o.id < head.id
    })
    return this.#name(id, head.height, better === undefined ? [] : [['head-order', `${better} is better`]])
  }

  /** A node's own ledger after block `id`, as the snapshot of docs/protocol.md, section 10.6. */
  state (id: Hex, snapshot: Uint8Array): Violation[] {
    const entry = this.#entries.get(id)
    if (entry === undefined) return this.#name(id, 0, [['head-unknown', 'no such block was added']])
    const read = readSnapshot(snapshot)
    if ('wrong' in read) return this.#name(id, entry.height, [['snapshot-encoding', read.wrong]])
    const found = moneyFindings(this.params, read.value, entry.ledger.flows)
    if (hexOf(rootOf(read.value)) !== hexOf(entry.header.template.stateRoot)) found.push(['snapshot-root', 'not what the block commits to'])
    return this.#name(id, entry.height, found)
  }

  /** How far the histories that nodes hold agree: each a list of block hashes, ascending, with its head last. */
  agree (held: readonly Held[]): Agreement { return agreementOf(this.#entries, held) }

  /** What every miner of the chain up to `id` did and was credited. */
  rewards (id: Hex): Rewards {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new Error(`no block ${id} was added`)
    return rewardsOf(entry)
  }

  /** Slices that a key did twice on the chain up to `id`: no rule is broken, but an honest node does so only in rounds that stay unsealed. */
  workedTwice (id: Hex): WorkedTwice[] {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new Error(`no block ${id} was added`)
    return workedTwiceOn(entry)
  }

  /** Redoes the work of block `id`: its own slice, those it seals, and the states that its seals define. */
  replay (id: Hex, supply: Supply): Replayed & { readonly violations: readonly Violation[] } {
    const entry = this.#entries.get(id)
    if (entry === undefined) throw new Error(`no block ${id} was added`)
    const replayed = this.#replayer.replay(entry, supply)
    return { ...replayed, violations: this.#name(id, entry.height, replayed.findings) }
  }

  #genesis (benchmark: Uint8Array, spec: Spec, offerShare: number | undefined): Entry {
    const { params } = this
    const hash = H('genesis', Buffer.from(genesisText(params, hexOf(specHash(benchmark))), 'ascii'))
    const ledger = Ledger.genesis(benchmark, spec, hexOf(stateHash(firstState(spec))), offerShare)
    const header = {
      template: {
        version: 1, chain: hash, height: 0, parent: ZEROS, time: 0, target: params.genesisTarget, bodyRoot: ZEROS, stateRoot: rootOf(snapshotOf(ledger)),
        miner: ZEROS, payee: ZEROS, job: ZEROS, round: 0, seal: ZEROS, stateHash: ZEROS, randomness: ZEROS
      },
      slice: 0, resultHash: ZEROS, payloadDigest: ZEROS, payloadBytes: 0, signature: new Uint8Array(64)
    }
    return { id: hexOf(hash), hash, height: 0, header, rho: H('rho', hash), ticket: ZEROS, work: 0n, ledger, broken: false }
  }

  #name (block: Hex, height: number, found: readonly Finding[]): Violation[] {
    return found.map(([name, evidence]: readonly [ViolationName, string]) => ({ name, block, height, evidence }))
  }

  #judge (blockBytes: Uint8Array, bytesName: Hex): AuditResult {
    const read = readBlock(blockBytes)
    if ('wrong' in read) return { id: bytesName, height: 0, fresh: true, violations: this.#name(bytesName, 0, [['encoding', read.wrong]]) }
    const block = read.value
    const hash = claimId(block.header)
    const id = hexOf(hash)
    const parent = this.#entries.get(hexOf(block.header.template.parent))
    if (parent === undefined) {
      return { id, height: block.header.template.height, fresh: true, violations: this.#name(id, block.header.template.height, [['parent-unknown', hexOf(block.header.template.parent)]]) }
    }
    const { entry, found } = this.#apply(block, hash, id, parent)
    // Another copy of a hash differs in its signature or in a body that is not its own: the right one stays.
    if (!this.#entries.has(id) || (this.#wrong.has(id) && found.length === 0)) this.#entries.set(id, entry)
    if (found.length === 0) this.#wrong.delete(id)
    else if (this.#entries.get(id) === entry) this.#wrong.add(id)
    const result: AuditResult = { id, height: entry.height, fresh: true, violations: this.#name(id, entry.height, found) }
    return result
  }

  #apply (block: Block, hash: Uint8Array, id: Hex, parent: Entry): { readonly entry: Entry, readonly found: readonly Finding[] } {
    const { params } = this
    const { header, body } = block
    const t = header.template
    const ticket = ticketOf(header, templateHash(t))
    const found = headerFindings(params, this.genesis.id, parent, header, ticket)
    if (!this.#verify(t.miner, hash, header.signature)) found.push(['header-signature', hexOf(t.miner)])
    const encoded = bodyBytes(body)
    if (encoded.length > MAX_BODY_BYTES) found.push(['body-size', `${encoded.length} bytes`])
    const receipts = body.transactions.reduce((n, { transaction: { action } }) => n + (action.selector === 5 ? action.value.receipts.length : 0), 0)
    if (receipts > MAX_RECEIPTS_PER_BLOCK) found.push(['body-receipts', `${receipts} receipts`])
    if (hexOf(H('body', encoded)) !== hexOf(t.bodyRoot)) found.push(['body-root', 'another body'])
    const inHeader = new Set(found.map(([name]) => name))

    const ledger = parent.ledger.copy()
    ledger.open(params, parent.height + 1)
    const inBody = this.#body(block, parent, ledger)
    found.push(...inBody)
    const broken = parent.broken || inBody.length > 0 || inHeader.has('body-root')
    const entry: Entry = {
      id, hash, height: parent.height + 1, header, parent, block, rho: H('rho', parent.rho, ticket), ticket, work: parent.work + workOf(t.target), ledger, broken
    }
    if (!broken) {
      if (!inHeader.has('header-job')) found.push(...this.#jobFindings(entry))
      if (hexOf(rootOf(snapshotOf(ledger))) !== hexOf(t.stateRoot)) found.push(['state-root', 'the ledger after the block has another root'])
    }
    found.push(...moneyFindings(params, snapshotOf(ledger), ledger.flows))
    found.push(...this.#twice(entry))
    return { entry, found }
  }

  #receiptsSigned ({ action, from: to }: Transaction): boolean {
    if (action.selector !== 5) return true
    const { epoch, receipts } = action.value
    return receipts.every(r => this.#verify(r.from, receiptMessage(this.genesis.hash, to, epoch, r), r.signature))
  }

  /** Transactions, then seals, then what is paid. Something wrong is left out, and the rest goes on. */
  #body ({ header, body }: Block, parent: Entry, ledger: Ledger): Finding[] {
    const { params } = this
    const chain = this.genesis.id
    const found: Finding[] = []
    let fees = 0n
    for (const { transaction, signature } of body.transactions) {
      const finding = ledger.transactionFinding(params, chain, transaction)
      const signed = this.#verify(transaction.from, transactionId(transaction), signature)
      if (finding !== undefined) found.push(finding)
      else if (!signed) found.push(['transaction-signature', hexOf(transaction.from)])
      else if (!this.#receiptsSigned(transaction)) found.push(['redeem-signature', hexOf(transaction.from)])
      else {
        ledger.transact(params, transaction)
        fees += transaction.fee
      }
    }
    const place: SealPlace = { params, chain, parent, ledger, find: id => this.#entries.get(id), verify: this.#verify }
    const sealed: Array<Parameters<Ledger['close']>[4][number]> = []
    for (const signed of body.seals) {
      const finding = sealFinding(place, signed)
      if (finding !== undefined) {
        found.push(finding)
        continue
      }
      const { seal } = signed
      const { spec } = ledger.job(hexOf(seal.job))!
      ledger.takeSeal(params, seal, hexOf(sealHash(seal)), this.#entries.get(hexOf(seal.anchor))!.height)
      for (const { template: { miner, payee } } of seal.contributions) sealed.push({ miner, payee, job: hexOf(seal.job), spec })
    }
    ledger.close(params, header.template.miner, header.template.payee, fees, sealed)
    return found
  }

  /** The job to work on after the body, and its newest state. */
  #jobFindings ({ header: { template: t }, parent, ledger }: Entry): Finding[] {
    const job = ledger.workOn(this.#drawn(parent!, t.miner))
    if (job.id !== hexOf(t.job)) return [['header-job', `works on ${hexOf(t.job)}, draws ${job.id}`]]
    if (t.round !== job.round || hexOf(t.seal) !== job.seal || hexOf(t.stateHash) !== job.stateHash) return [['header-job-state', `works on round ${t.round}, the newest is ${job.round}`]]
    return []
  }

  #drawn (parent: Entry, miner: Uint8Array): Hex {
    return drawnJob(ancestorAt(parent, drawingHeight(this.params, parent.height + 1))!, miner)
  }

  /** What this block has that an earlier one of its chain, or the block itself, had already. */
  #twice (entry: Entry): Finding[] {
    const found: Finding[] = []
    const once = (name: ViolationName, what: string): void => {
      const at = this.#seen.get(`${name}/${what}`) ?? []
      if (at.some(e => e === entry || isOn(entry, e))) found.push([name, what])
      this.#seen.set(`${name}/${what}`, [...at, entry])
    }
    const { body } = entry.block!
    once('ticket-repeated', `ticket ${hexOf(entry.ticket)}`)
    for (const { transaction } of body.transactions) once('transaction-repeated', hexOf(transactionId(transaction)))
    for (const { seal } of body.seals) {
      for (const c of seal.contributions) {
        once('contribution-repeated', hexOf(claimId(c)))
        once('ticket-repeated', `slice ${hexOf(c.template.miner)}/${hexOf(c.template.job)}/${c.template.round}/${c.slice}`)
      }
    }
    return found
  }
}

/** What nodes hold, side by side: how far back they differ, and who earned what. */
import { type Hex, hexOf } from './bytes.ts'
import { ancestorAt } from './draws.ts'
import type { Credit } from './ledger.ts'
import { costOf } from './model.ts'
import type { Entry } from './tree.ts'
import type { Finding } from './violations.ts'
import { claimId } from './wire.ts'

/** One node's history: block hashes in ascending order, its head last. It may begin anywhere. */
export interface Held { readonly node: string, readonly blocks: readonly Hex[] }

export interface Agreement {
  /** Blocks that a node would have to take back to be on the best chain, at most; 0 if all are on one chain. */
  readonly depth: number
  /** Distinct heads. */
  readonly heads: number
  /** Blocks by which the last node is behind the best chain without being on another. */
  readonly lag: number
  /** The head with the most work; undefined where nobody holds a block. */
  readonly best?: Hex
  /** Nodes that are not on the best chain, and how deep. */
  readonly apart: ReadonlyArray<{ readonly node: string, readonly head: Hex, readonly depth: number }>
  /** A history that is none: blocks that were never added or do not follow one another. */
  readonly findings: ReadonlyArray<{ readonly node: string, readonly finding: Finding }>
}

function chainFinding (entries: ReadonlyMap<Hex, Entry>, blocks: readonly Hex[]): Finding | undefined {
  for (const [i, id] of blocks.entries()) {
    const entry = entries.get(id)
    if (entry === undefined) return ['head-unknown', `${id} was never added`]
    if (i > 0 && entry.parent?.id !== blocks[i - 1]) return ['history-broken', `${id} does not follow ${blocks[i - 1]}`]
  }
  return undefined
}

function commonHeight (a: Entry, b: Entry): number {
  let x = ancestorAt(a, Math.min(a.height, b.height))!
  let y = ancestorAt(b, x.height)!
  while (x !== y) {
    x = x.parent!
    y = y.parent!
  }
  return x.height
}

/**
 * Against the head with the most work alone: of three heads, the two that part from each other first
 * do so where one of them parts from the third.
 */
export function agreementOf (entries: ReadonlyMap<Hex, Entry>, held: readonly Held[]): Agreement {
  const findings: Array<Agreement['findings'][number]> = []
  const heads = new Map<Entry, string[]>()
  for (const { node, blocks } of held) {
    const finding = chainFinding(entries, blocks)
    if (finding !== undefined) findings.push({ node, finding })
    const head = blocks.length === 0 ? undefined : entries.get(blocks[blocks.length - 1])
    if (head !== undefined) heads.set(head, [...heads.get(head) ?? [], node])
  }
  const best = [...heads.keys()].reduce<Entry | undefined>((b, e) => b === undefined || e.work > b.work || (e.work === b.work && e.id < b.id) ? e : b, undefined)
  const apart: Array<Agreement['apart'][number]> = []
  let lag = 0
  if (best !== undefined) {
    for (const [head, nodes] of heads) {
      const depth = head.height - commonHeight(head, best)
      if (depth > 0) for (const node of nodes) apart.push({ node, head: head.id, depth })
      else lag = Math.max(lag, best.height - head.height)
    }
  }
  return { depth: Math.max(0, ...apart.map(a => a.depth)), heads: heads.size, lag, ...(best === undefined ? {} : { best: best.id }), apart, findings }
}

/** A slice number that one key used for different claims of one job and round: those claims by the heights of their templates. */
export interface WorkedTwice {
  readonly miner: Hex, readonly job: Hex, readonly round: number, readonly slice: number
  readonly claims: ReadonlyArray<{ readonly id: Hex, readonly height: number }>
}

/**
 * The rules let a miner count its slices anew under another template, for the noise differs and so does
 * the work; an honest node counts on, also after a restart, but for rounds that stay unsealed.
 */
export function workedTwiceOn (head: Entry): WorkedTwice[] {
  const all = new Map<string, WorkedTwice>()
  for (let e: Entry = head; e.parent !== undefined; e = e.parent) {
    const { header, body } = e.block!
    for (const claim of [header, ...body.seals.flatMap(({ seal }) => seal.contributions)]) {
      const { miner, job, round } = claim.template
      const one = { miner: hexOf(miner), job: hexOf(job), round, slice: claim.slice }
      const name = Object.values(one).join('/')
      const claims = all.get(name)?.claims ?? []
      const id = hexOf(claimId(claim))
      if (!claims.some(c => c.id === id)) all.set(name, { ...one, claims: [...claims, { id, height: claim.template.height }].sort((x, y) => x.height - y.height) })
    }
  }
  return [...all.values()].filter(({ claims }) => claims.length > 1)
}

/** One miner's, by its key; credits go to whatever account it names. */
export interface Earned {
  /** Blocks found, and their weight in cost units. */
  blocks: number, work: bigint
  /** Contributions sealed, and what their slices cost. */
  contributions: number, contributedCost: bigint
  /** Grains, ripe or not. */
  credited: Record<Credit['kind'], bigint>
  total: bigint
}
export type Rewards = ReadonlyMap<Hex, Earned>

export function rewardsOf (head: Entry): Rewards {
  const all = new Map<Hex, Earned>()
  const of = (key: Hex): Earned => {
    const one = all.get(key) ?? { blocks: 0, work: 0n, contributions: 0, contributedCost: 0n, credited: { 'block-reward': 0n, contribution: 0n, 'contribution-subsidy': 0n, fees: 0n }, total: 0n }
    all.set(key, one)
    return one
  }
  for (let e: Entry = head; e.parent !== undefined; e = e.parent) {
    const miner = of(hexOf(e.header.template.miner))
    miner.blocks++
    miner.work += e.work - e.parent.work
    for (const { seal } of e.block!.body.seals) {
      const job = e.ledger.job(hexOf(seal.job)) ?? e.parent.ledger.job(hexOf(seal.job))
      for (const { template } of seal.contributions) {
        const one = of(hexOf(template.miner))
        one.contributions++
        one.contributedCost += job === undefined ? 0n : BigInt(costOf(job.spec))
      }
    }
    for (const { by, kind, amount } of e.ledger.credited) {
      const one = of(by)
      one.credited[kind] += amount
      one.total += amount
    }
  }
  return all
}

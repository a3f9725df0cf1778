/**
 * What a tab owes after its death. The promise, as src/node keeps it:
 *
 * - a block of its own that it has shown or announced is on its disk, header and body;
 * - a block of another's that it has shown is on its disk, but for those of the last commit, which
 *   was in flight: their own miner has them on his disk;
 * - what is on the disk is whole: every header hashes to its name, has its body and its parent;
 * - the tab goes on from a chain no lighter than the heaviest on its disk whose work was redone, with the
 *   account that this chain gives it;
 * - a transaction of its own that it called sent waits on the disk, or is in that chain or another block there,
 *   or the wallet says that it will not happen;
 * - every slice that it worked on in public lies below what the disk has reserved;
 * - its keys are the same.
 */
import { chainId, compareChains, type BlockMeta } from '../../../src/core/consensus/chain.ts'
import { publicKey } from '../../../src/core/crypto/keys.ts'
import { fromHex, toHex } from '../../../src/core/codec/ssz.ts'
import { decodeBook } from '../../../src/node/purseRecord.ts'
import { databaseName, slotSeed } from '../../../src/storage/slots.ts'
import { TEST } from '../../../src/core/params.ts'
import type { Shown } from './inPage.ts'
import { type Identity, type KnownBlock, type Oracle, StoredHeader } from './oracle.ts'
import type { Dump, ProfileDump } from './witness.ts'

/** A block of another's may be missing if it was shown so shortly before the death: a commit takes seconds where the machine is short of time. */
export const IN_FLIGHT_MS = 5_000
/** Own blocks, and what was shown, are looked for down to this depth: side branches are let go of below. */
const DEPTH = 80
/** Claims whose reservation is looked at. */
const CLAIM_DEPTH = 24
/** How src/node/persist.ts marks a block whose work was taken on trust. */
const TRUSTED = 2
/** What a wallet says of a transaction that no tab hands on any more. */
const GIVEN_UP: ReadonlySet<string> = new Set(['closed', 'taken', 'same', 'void'])
/** Rounds a tab remembers its slices of. */
const ROUNDS_KEPT = 64

export interface Loss { readonly what: 'block' | 'damage' | 'credit' | 'transaction' | 'slice' | 'key' | 'start' | 'convergence', readonly detail: string }

export interface Checked {
  readonly losses: readonly Loss[]
  /** Blocks looked for on this disk. */
  readonly blocks: number
  /** Blocks of others that were in flight and have to be fetched again. */
  readonly inFlight: number
  readonly transactions: number
  readonly slices: number
  /** The chain that the tab must go on from. */
  readonly best: BlockMeta
}

const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))
const short = (b: KnownBlock): string => `${b.height} ${b.hash.slice(0, 8)}`
export const identityDatabase = (slot: number): string => databaseName(TEST.name, slot)

/** Takes in everything that a database holds; what is damaged in it. */
function takeIn (oracle: Oracle, dump: Dump): Loss[] {
  const losses: Loss[] = []
  const bodies = new Map(dump.bodies.map(([key, text]) => [key, text]))
  const bodyKeys = new Set(dump.bodyKeys)
  const hashes = new Set(dump.headers.map(([key]) => key.slice(11)))
  const lowest = dump.headers.length === 0 ? 0 : parseInt(dump.headers[0][0].slice(2, 10), 16)
  const damaged = (key: string, why: string): void => { losses.push({ what: 'damage', detail: `${dump.name}: block ${parseInt(key.slice(2, 10), 16)} ${key.slice(11, 19)}: ${why}` }) }
  for (const [key, text] of dump.headers) {
    const bodyKey = key.slice(2)
    const body = bodies.get(bodyKey)
    const why = oracle.take(key, bytes(text), body === undefined ? undefined : bytes(body))
    if (why !== undefined) damaged(key, why)
    if (!bodyKeys.has(bodyKey)) damaged(key, 'its body is missing')
    const { height, parent } = oracle.blocks.get(key.slice(11)) ?? { height: 0, parent: '' }
    if (height > lowest && height > 1 && !hashes.has(parent)) damaged(key, 'its parent is missing')
  }
  for (const key of dump.bodyKeys) if (!hashes.has(key.slice(9))) losses.push({ what: 'damage', detail: `${dump.name}: a body without a header, ${key.slice(0, 17)}` })
  return losses
}

/**
 * What the chain to go on from must be no lighter than: the heaviest on the disk whose work was redone. Work taken on
 * trust counts below enough blocks that were redone one after another, where the tab has shown it; elsewhere whether
 * it may lead depends on what it would undo, and no tab owes that it does.
 */
function bestOf (oracle: Oracle, dump: Dump, shown: string | undefined): BlockMeta {
  const trusted = new Set(dump.headers.filter(([, text]) => StoredHeader.deserialize(bytes(text)).checked === TRUSTED).map(([key]) => key.slice(11)))
  const held = new Set(dump.headers.map(([key]) => key.slice(11)))
  const followed = shown === undefined ? [] : [...oracle.branch(shown, Infinity)].map(b => b.hash).filter(hash => held.has(hash))
  let proven = 0
  for (let at = 0, redone = 0; at < followed.length && redone < TEST.joinReplayBlocks; at++) {
    if (!trusted.has(followed[at])) { redone++; continue }
    redone = 0
    proven = at + 1
  }
  const main = new Set(followed.slice(proven))
  const isRedone = (candidate: BlockMeta): boolean => {
    let x: BlockMeta | undefined = candidate
    while (x !== undefined && x.height > 0 && !main.has(toHex(x.hash)) && !trusted.has(toHex(x.hash))) x = x.parent
    return x === undefined || !trusted.has(toHex(x.hash)) || main.has(toHex(x.hash))
  }
  let best: BlockMeta = oracle.genesis
  for (const hash of held) {
    const meta = oracle.meta(hash)
    if (meta !== undefined && compareChains(meta, best) > 0 && isRedone(meta)) best = meta
  }
  return best
}

/**
 * Holds a tab's database against what the tab had shown and others had heard; `own`: the blocks of its
 * own that must be there; `givenUp`: the transactions that its wallet says will not happen; `shown`: the head
 * whose chain must be there.
 */
export function checkDisk (oracle: Oracle, who: Identity, dump: Dump, diedAt: number, own: readonly KnownBlock[], givenUp: ReadonlySet<string>, shown: string | undefined): Checked {
  const losses = takeIn(oracle, dump)
  const held = new Set(dump.headers.map(([key]) => key.slice(11)))
  const best = bestOf(oracle, dump, shown)
  const floor = oracle.top - DEPTH
  const at = `profile ${who.profile} slot ${who.slot}`
  let blocks = 0
  let inFlight = 0

  const followed = new Set([...oracle.branch(toHex(best.hash), Infinity)].map(b => b.hash))
  /** A reloaded tab begins from a ledger that is as deep as blocks are kept: of branches that left its chain below nothing is. */
  const isLeft = (b: KnownBlock): boolean => {
    const fork = [...oracle.branch(b.hash, Infinity)].find(x => followed.has(x.hash))
    return (fork?.height ?? 0) < oracle.top - TEST.historyBlocks
  }
  for (const b of own) {
    if (b.height <= floor || (!followed.has(b.hash) && isLeft(b))) continue
    blocks++
    if (!held.has(b.hash)) losses.push({ what: 'block', detail: `${at}: its own block ${short(b)} is not on its disk` })
  }
  // A tab that stood still had no time to write.
  const ran = who.still !== undefined && who.still.to > diedAt - IN_FLIGHT_MS ? who.still.from : diedAt
  const branch = shown === undefined ? [] : [...oracle.branch(shown, DEPTH)].filter(b => b.height > floor)
  const deepest = branch.findLastIndex(b => held.has(b.hash))
  for (const [i, b] of branch.entries()) {
    blocks++
    if (held.has(b.hash) || b.miner === who.miner) continue
    const first = who.shownAt.get(b.hash)
    // Up to the ledger that it has joined by, whose block may have been the head for a while; the headers there come when that chain is settled.
    if ((first === undefined && i > deepest) || b.height <= (who.shown?.joinedAt ?? 0)) continue
    if (first !== undefined && first >= ran - IN_FLIGHT_MS) inFlight++
    else losses.push({ what: 'block', detail: `${at}: block ${short(b)}, shown ${first === undefined ? 'long' : `${diedAt - first} ms`} before, is not on its disk` })
  }

  const pool = new Set(dump.pool.map(([key]) => key))
  for (const [id, sentAt] of who.acknowledged) {
    if (givenUp.has(id)) continue
    // However long ago: a profile that was left alone meanwhile has not been looked at.
    if (oracle.contains(toHex(best.hash), id, Infinity)) continue
    // A block of another branch is as good: what it carries waits again once it is read.
    if (!pool.has(id) && ![...held].some(hash => oracle.blocks.get(hash)?.transactions?.has(id) === true)) losses.push({ what: 'transaction', detail: `${at}: transfer ${id.slice(0, 8)}, called sent ${diedAt - sentAt} ms before, neither waits nor is in block ${best.height} or before, nor in any on its disk` })
  }
  const { checked: slices, losses: reused } = checkSlices(oracle, who, dump, at)
  return { losses: [...losses, ...reused], blocks, inFlight, transactions: who.acknowledged.size, slices, best }
}

function checkSlices (oracle: Oracle, who: Identity, dump: Dump, at: string): { readonly checked: number, readonly losses: readonly Loss[] } {
  const row = dump.slices.find(([key]) => key.endsWith(who.miner))
  const stored = row === undefined ? [] : JSON.parse(Buffer.from(row[1], 'base64').toString()) as ReadonlyArray<readonly [string, number, number]>
  const reserved = new Map(stored.map(([name, count, since]) => [name, { count, since }]))
  const claims = oracle.claimsOf(who.miner, oracle.top - CLAIM_DEPTH)
  const losses: Loss[] = []
  for (const { template, slice } of claims) {
    const name = `${toHex(template.job)}/${template.round}`
    const r = reserved.get(name)
    if (r === undefined ? stored.length >= ROUNDS_KEPT : template.height < r.since || slice < r.count) continue
    losses.push({ what: 'slice', detail: `${at}: slice ${slice} of round ${template.round} is used, ${r?.count ?? 0} are reserved: it would be used again` })
  }
  return { checked: claims.length, losses }
}

/** What the profile's wallet was called sent and will not happen: its user is told, and may send it again. */
export function givenUpBy (oracle: Oracle, dump: ProfileDump, key: string): Set<string> {
  const row = dump.purse.find(([name]) => name.includes(key))
  if (row === undefined) return new Set()
  const { book } = decodeBook(bytes(row[1]), chainId(oracle.genesis), fromHex(key, 32)!)
  return new Set([...book.entries].filter(([, { state }]) => GIVEN_UP.has(state)).map(([id]) => id))
}

/** The wallet's seed is still the one whose keys the profile has shown. */
export function checkKeys (dump: ProfileDump, profile: number, identities: readonly Identity[]): Loss[] {
  if (identities.length === 0) return []
  if (dump.seed === undefined) return [{ what: 'key', detail: `profile ${profile}: its wallet is gone` }]
  const seed = bytes(dump.seed)
  const key = toHex(publicKey(seed))
  return identities.flatMap(({ slot, miner, key: before }): Loss[] => {
    if (key !== before) return [{ what: 'key', detail: `profile ${profile}: the wallet's key is ${key.slice(0, 8)}, it was ${before.slice(0, 8)}` }]
    return toHex(publicKey(slotSeed(seed, slot))) === miner ? [] : [{ what: 'key', detail: `profile ${profile} slot ${slot}: the seed gives another key` }]
  })
}

/** Also where nothing else is left of it. */
export function checkSameKeys (who: Identity, first: Shown): Loss[] {
  if (first.miner === who.miner && first.key === who.key) return []
  return [{ what: 'key', detail: `profile ${who.profile} slot ${who.slot}: it is ${first.miner.slice(0, 8)} paid to ${first.key.slice(0, 8)}, it was ${who.miner.slice(0, 8)} paid to ${who.key.slice(0, 8)}` }]
}

/** What the tab shows first must follow from its disk; `heard`: it shows a heavier chain already. */
export function checkReturn (oracle: Oracle, who: Identity, best: BlockMeta, first: Shown): { readonly losses: readonly Loss[], readonly heard: boolean } {
  const at = `profile ${who.profile} slot ${who.slot}`
  if (first.phase === 'storage-failed') return { heard: false, losses: [{ what: 'start', detail: `${at}: ${first.detail}` }] }
  const others = checkSameKeys(who, first)
  if (others.length > 0) return { heard: false, losses: others }
  if (first.head !== toHex(best.hash)) {
    if (BigInt(first.work) >= best.work) return { heard: true, losses: [] }
    return { heard: false, losses: [{ what: 'block', detail: `${at}: it goes on from block ${first.height} ${first.head.slice(0, 8)}, its disk has ${best.height} ${toHex(best.hash).slice(0, 8)}` }] }
  }
  return { heard: false, losses: checkAccount(oracle, who, first) }
}

/** What the wallet shows is what the chain that it shows gives it. */
export function checkAccount (oracle: Oracle, who: Identity, view: Shown): Loss[] {
  const at = `profile ${who.profile} slot ${who.slot}`
  const now = oracle.ledger(view.head, who.key)
  if (now === undefined) return [{ what: 'block', detail: `${at}: block ${view.height} ${view.head.slice(0, 8)} is shown and on no disk` }]
  const waiting = [...who.acknowledged.keys()].filter(id => !oracle.contains(view.head, id, Infinity) && !view.unsent.includes(id)).length
  const losses: Loss[] = []
  if (String(now.balance) !== view.balance || String(now.maturing) !== view.maturing) losses.push({ what: 'credit', detail: `${at}: it shows ${view.balance} and ${view.maturing} maturing at block ${view.height}, the chain gives ${now.balance} and ${now.maturing}` })
  if (view.nonce < now.nonce + waiting) losses.push({ what: 'transaction', detail: `${at}: its nonce is ${view.nonce}, the chain's ${now.nonce} with ${waiting} sent and waiting` })
  return losses
}

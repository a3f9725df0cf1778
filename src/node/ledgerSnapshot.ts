/**
 * The ledger after a block as one file that every node makes alike, and its check against headers:
 * what a joining tab goes on from instead of applying every block there ever was. With the ledger come
 * outlines of the blocks before it, for draws and contributions look back at the jobs of those; each
 * outline, like the ledger, is right if its root is the one that the header of its block names.
 */
import { ContainerType, ListCompositeType } from '@chainsafe/ssz'
import { byteList, decode, equalBytes } from '../core/codec/ssz.ts'
import type { BlockMeta, HeaderMeta } from '../core/consensus/chain.ts'
import { decodeLedger, decodeOutline, encodeLedger, encodeOutline, fitsReaders, ledgerRoot, type LedgerState, MAX_LEDGER_BYTES, MAX_OUTLINE_BYTES, outlineOf, outlineRoot } from '../core/ledger/state.ts'
import { jobTable } from './persist.ts'

/** As many outlines as a persisted snapshot has job tables at most. */
const MAX_BEFORE = 64

export const SnapshotFile = new ContainerType({
  ledger: byteList(MAX_LEDGER_BYTES),
  /** Of the blocks before it, newest first. */
  before: new ListCompositeType(byteList(MAX_OUTLINE_BYTES), MAX_BEFORE)
})
export const MAX_SNAPSHOT_FILE_BYTES = MAX_LEDGER_BYTES + MAX_BEFORE * (MAX_OUTLINE_BYTES + 4) + 8

export type SnapshotFault = 'snapshot-malformed' | 'snapshot-height' | 'snapshot-root' | 'snapshot-before'
export type SnapshotRead =
  /** Of the block and of those before it, newest first; the latter hold their jobs alone. */
  | { readonly ok: true, readonly ledgers: readonly LedgerState[] }
  | { readonly ok: false, readonly reason: SnapshotFault, readonly detail: string }

/** Undefined where the ledgers of the blocks before it are not here whole, and where it would be too large for its readers. */
export function encodeSnapshotFile (meta: BlockMeta, lookBack: number): Uint8Array | undefined {
  if (!fitsReaders(meta.ledger)) return undefined
  const before: Uint8Array[] = []
  for (let m = meta.parent; before.length < lookBack; m = m.parent) {
    if (m === undefined) return undefined
    const outline = outlineOf(m.ledger)
    if (!equalBytes(outlineRoot(outline), m.header.template.stateRoot)) return undefined
    before.push(encodeOutline(outline))
  }
  const ledger = encodeLedger(meta.ledger)
  return ledger.length > MAX_LEDGER_BYTES ? undefined : SnapshotFile.serialize({ ledger, before })
}

const wrong = (reason: SnapshotFault, detail: string): SnapshotRead => ({ ok: false, reason, detail })

/** `empty`: the ledger of block 0. Stops now and then, as a large ledger takes a second. */
export function * readSnapshotFile (bytes: Uint8Array, header: HeaderMeta, lookBack: number, empty: LedgerState): Generator<undefined, SnapshotRead> {
  const file = decode(SnapshotFile, bytes, MAX_SNAPSHOT_FILE_BYTES)
  if (!file.ok) return wrong('snapshot-malformed', file.error.detail)
  const ledger = decodeLedger(file.value.ledger)
  if (!ledger.ok) return wrong('snapshot-malformed', ledger.error.detail)
  if (ledger.value.height !== header.height) return wrong('snapshot-height', `it is of block ${ledger.value.height}, not of ${header.height}`)
  yield * ledger.value.accounts.hashing()
  if (!equalBytes(ledgerRoot(ledger.value), header.header.template.stateRoot)) return wrong('snapshot-root', `its root is not the one that the header of block ${header.height} names`)
  if (file.value.before.length !== lookBack) return wrong('snapshot-before', `${file.value.before.length} blocks before it, ${lookBack} are wanted`)
  const ledgers = [ledger.value]
  let m = header.parent
  for (const part of file.value.before) {
    const outline = decodeOutline(part)
    if (!outline.ok) return wrong('snapshot-before', outline.error.detail)
    if (m === undefined || outline.value.height !== m.height || !equalBytes(outlineRoot(outline.value), m.header.template.stateRoot)) return wrong('snapshot-before', `the outline of block ${outline.value.height} is not what its header names`)
    ledgers.push(jobTable(empty, outline.value))
    m = m.parent
  }
  return { ok: true, ledgers }
}

/** The block as the rules see it, on headers alone below it. `metas`: how far they look back at headers. */
export function metaOnHeaders (header: HeaderMeta, ledgers: readonly LedgerState[], metas: number, empty: LedgerState): BlockMeta {
  const chain: BlockMeta[] = []
  for (let h: HeaderMeta | undefined = header; h !== undefined && chain.length <= metas; h = h.parent) chain.push({ hash: h.hash, header: h.header, height: h.height, work: h.work, rho: h.rho, ticket: h.ticket, ledger: ledgers[header.height - h.height] ?? empty })
  let parent: BlockMeta | undefined
  for (const m of chain.reverse()) parent = { ...m, parent }
  return parent!
}

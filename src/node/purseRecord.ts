/** The record that the tabs of a profile share of what their wallet has signed: how it is kept, and what goes where it is full. */
import { ContainerType, ListCompositeType } from '@chainsafe/ssz'
import { Bytes32, decode, equalBytes, toHex, U32, U53, U8 } from '../core/codec/ssz.ts'
import { SignedTransaction } from '../core/codec/wire.ts'
import { transactionId } from '../core/crypto/ids.ts'
import { MAX_TRANSACTION_BYTES } from './mempool.ts'
import type { Hex } from './parts.ts'

/** Transactions remembered; those that are settled go first. */
export const SIGNED_KEPT = 64
/** Others' transactions of this wallet that were told of. */
const FOREIGN_KEPT = 64

/** By their place here they are stored. */
const STATES = ['waiting', 'mined', 'closed', 'ahead', 'stuck', 'unseen', 'taken', 'same', 'void'] as const
export type State = typeof STATES[number]

const PurseRecord = new ContainerType({
  chain: Bytes32,
  /** One above the highest nonce that this profile has signed with. */
  next: U32,
  /** Height of the tab that has judged last, and when, Unix time in ms. */
  judged: U32,
  judgedAt: U53,
  foreign: new ListCompositeType(Bytes32, FOREIGN_KEPT),
  signed: new ListCompositeType(new ContainerType({ state: U8, at: U32, signed: SignedTransaction }), SIGNED_KEPT)
})
const PURSE_RECORD_BYTES = SIGNED_KEPT * (MAX_TRANSACTION_BYTES + 64) + FOREIGN_KEPT * 32 + 128

/** `at`: height of the block that the state goes back to, or at which it began. */
export interface Entry { state: State, at: number, readonly signed: SignedTransaction }
export interface Book {
  readonly entries: Map<Hex, Entry>
  next: number
  judged: number
  judgedAt: number
  foreign: Uint8Array[]
}

export const idOf = (signed: SignedTransaction): Hex => toHex(transactionId(signed.transaction))
export const emptyBook = (): Book => ({ entries: new Map(), next: 0, judged: 0, judgedAt: 0, foreign: [] })
export const copyOf = (book: Book): Book => ({ ...book, foreign: [...book.foreign], entries: new Map([...book.entries].map(([id, e]) => [id, { ...e }])) })
export const fingerprint = ({ entries, next, foreign }: Book): string => [next, ...foreign.map(toHex), ...[...entries].map(([id, { state, at }]) => `${id} ${state} ${at}`)].join()

/** What is of another account, or of a chain that began anew, is nothing. */
export function decodeBook (bytes: Uint8Array | undefined, chain: Uint8Array, account: Uint8Array): { readonly book: Book, readonly damaged?: string } {
  if (bytes === undefined) return { book: emptyBook() }
  const d = decode(PurseRecord, bytes, PURSE_RECORD_BYTES)
  if (!d.ok) return { book: emptyBook(), damaged: d.error.detail }
  if (!equalBytes(d.value.chain, chain)) return { book: emptyBook() }
  const { next, judged, judgedAt, foreign, signed } = d.value
  const mine = signed.filter(({ state, signed: { transaction: t } }) => state < STATES.length && equalBytes(t.from, account) && equalBytes(t.chain, chain))
  return { book: { next, judged, judgedAt, foreign, entries: new Map(mine.map(({ state, at, signed: s }) => [idOf(s), { state: STATES[state], at, signed: s }])) } }
}

/** Lets go of what there is no room for. */
export function encodeBook (book: Book, chain: Uint8Array): Uint8Array {
  book.foreign = book.foreign.slice(-FOREIGN_KEPT)
  trim(book.entries)
  return PurseRecord.serialize({
    chain,
    next: book.next,
    judged: book.judged,
    judgedAt: book.judgedAt,
    foreign: book.foreign,
    signed: [...book.entries.values()].map(({ state, at, signed }) => ({ state: STATES.indexOf(state), at, signed }))
  })
}

/** Of the settled ones, then of those that failed, then of all, the one with the lowest nonce goes first: a nonce that is free again is a high one. */
function trim (entries: Map<Hex, Entry>): void {
  if (entries.size <= SIGNED_KEPT) return
  const order: ReadonlyArray<(s: State) => boolean> = [s => s === 'mined' || s === 'closed', s => s !== 'waiting' && s !== 'ahead' && s !== 'stuck', () => true]
  const byNonce = [...entries].sort((a, b) => a[1].signed.transaction.nonce - b[1].signed.transaction.nonce)
  for (const goes of order) {
    for (const [id, { state }] of byNonce) {
      if (entries.size <= SIGNED_KEPT) return
      if (goes(state)) entries.delete(id)
    }
  }
}

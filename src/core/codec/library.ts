/**
 * The wire types of the library: what a publisher says of a set of files, who has what, and receipts
 * for bytes. docs/protocol.md says what each field means.
 */
import { ContainerType, ListCompositeType, NoneType, UnionType, type ValueOf } from '@chainsafe/ssz'
import { MAX_NOTE_ABOUT_BYTES, MAX_NOTE_LICENCE_BYTES, MAX_NOTE_NAME_BYTES, MAX_NOTE_PARENTS } from './noteLimits.ts'
import { byteList, Bytes20, Bytes32, Bytes64, U16, U32, U53, U8 } from './ssz.ts'

/** Sets one announcement names: with their notes they fit a gossip message. */
export const MAX_ANNOUNCED = 32
/** Characters of a peer's name. */
const MAX_PEER_BYTES = 64

/** What a publisher says of a set of files. Texts are UTF-8. */
export const Note = new ContainerType({
  /** Genesis hash of the network. */
  chain: Bytes32,
  infoHash: Bytes20,
  /** 0 model, 1 data set, 2 snapshot, 3 file. */
  kind: U8,
  name: byteList(MAX_NOTE_NAME_BYTES),
  licence: byteList(MAX_NOTE_LICENCE_BYTES),
  about: byteList(MAX_NOTE_ABOUT_BYTES),
  /** Bytes of the files together. */
  bytes: U53,
  publisher: Bytes32,
  /** Job whose training made it, and the round; zero where there is none. */
  job: Bytes32,
  round: U32,
  /** Infohashes of what it was made from. */
  parents: new ListCompositeType(Bytes20, MAX_NOTE_PARENTS)
})

export const SignedNote = new ContainerType({
  note: Note,
  /** By note.publisher over noteMessage(). */
  signature: Bytes64
})

/** Tenths of a per mille: all of it. */
export const SHARE_ALL = 10_000
/** Says that the peer has left the swarm. */
export const SHARE_LEFT = 0xffff

export const AnnouncedItem = new ContainerType({
  infoHash: Bytes20,
  /** 0..SHARE_ALL of the pieces, or SHARE_LEFT. */
  share: U16,
  note: new ListCompositeType(SignedNote, 1)
})

/** What its origin (named by the gossip message) holds or fetches. */
export const Announcement = new ContainerType({ items: new ListCompositeType(AnnouncedItem, MAX_ANNOUNCED) })

/** Bytes of one torrent that `from` has got of `to` within one epoch; the largest of a kind counts. */
export const Receipt = new ContainerType({
  chain: Bytes32,
  /** Who got the bytes, and signs. */
  from: Bytes32,
  /** Who sent them. */
  to: Bytes32,
  infoHash: Bytes20,
  /** Height over epochBlocks, rounded down. */
  epoch: U32,
  bytes: U53
})

export const SignedReceipt = new ContainerType({
  receipt: Receipt,
  /** By receipt.from over receiptMessage(). */
  signature: Bytes64
})

/** First message on a link, both ways. */
export const LinkHello = new ContainerType({
  chain: Bytes32,
  /** The key that signs its receipts, and to which ours are made out. */
  key: Bytes32,
  /** Its name in the mesh: two links to one peer are one too many. */
  peer: byteList(MAX_PEER_BYTES),
  epoch: U32,
  /** The newest receipt for this torrent that the sender holds of the other. */
  last: new ListCompositeType(SignedReceipt, 1)
})

/**
 * Asks whoever says that it holds a set to show it: first without `nonce`, to be given a salt, then the
 * same again with it. A nonce that is committed to before the salt is known can aim at no piece.
 */
export const HostingRequest = new ContainerType({
  chain: Bytes32,
  infoHash: Bytes20,
  /** A recent main-chain block, whose rho is part of the draw, by height and hash. */
  height: U32,
  block: Bytes32,
  /** hostingCommitment(nonce). */
  commitment: Bytes32,
  nonce: new ListCompositeType(Bytes32, 1)
})

export const LINK_HELLO = 1
export const LINK_RECEIPT = 2
/** What travels in the extension `cw_receipt`. */
export const LinkMessage = new UnionType([new NoneType(), LinkHello, SignedReceipt])

export type Note = ValueOf<typeof Note>
export type SignedNote = ValueOf<typeof SignedNote>
export type AnnouncedItem = ValueOf<typeof AnnouncedItem>
export type Announcement = ValueOf<typeof Announcement>
export type Receipt = ValueOf<typeof Receipt>
export type SignedReceipt = ValueOf<typeof SignedReceipt>
export type LinkHello = ValueOf<typeof LinkHello>
export type HostingRequest = ValueOf<typeof HostingRequest>
export type LinkMessage = ValueOf<typeof LinkMessage>

/** The wire types of docs/protocol.md in the words of naiveSsz.ts, written from that page and not from the code. */
import { byteList, bytes, container, list, type Schema, uint, union } from './naiveSsz.ts'

const KiB = 1024
const b32 = bytes(32)
const b64 = bytes(64)
const u8 = uint(1)
const u16 = uint(2)
const u32 = uint(4)
const u64 = uint(8, 'bigint')
/** u64 on the wire, of which only what a double holds is taken. */
const u53 = uint(8)
const u256 = uint(32, 'bigint')
const specBytes = byteList(KiB)

const template = container({
  version: u16, chain: b32, height: u32, parent: b32, time: u53, target: u256, bodyRoot: b32, stateRoot: b32,
  miner: b32, payee: b32, job: b32, round: u32, seal: b32, stateHash: b32, randomness: b32
})
const claim = container({ template, slice: u32, resultHash: b32, payloadDigest: b32, payloadBytes: u32, signature: b64 })
const seal = container({ job: b32, round: u32, previous: b32, anchor: b32, contributions: list(claim, 32), stateHash: b32 })
const sealSignature = container({ member: u16, signature: b64 })
const signedSeal = container({ seal, signatures: list(sealSignature, 64) })
const transfer = container({ to: b32, amount: u64 })
const postJob = container({ spec: specBytes, escrow: u64, pricePerContribution: u64, burn: u64, deadline: u32 })
const cancelJob = container({ job: b32 })
const setAside = container({ grains: u64 })
const redeemedReceipt = container({ from: b32, infoHash: bytes(20), bytes: u53, signature: b64 })
const redeem = container({ epoch: u32, receipts: list(redeemedReceipt, 16) })
const action = union(undefined, transfer, postJob, cancelJob, setAside, redeem)
const transaction = container({ chain: b32, from: b32, nonce: u32, fee: u64, action })
const signedTransaction = container({ transaction, signature: b64 })
const body = container({ transactions: list(signedTransaction, 256), seals: list(signedSeal, 32) })
const block = container({ header: claim, body })
const vouch = container({ job: b32, contribution: b32, member: b32, signature: b64 })
const proposal = container({ seal, vouches: list(vouch, 64), proposer: b32, signature: b64 })
const sealVote = container({ job: b32, sealHash: b32, member: b32, signature: b64 })
const challenge = container({ job: b32, sealHash: b32, contribution: b32 })
const dataRef = container({ source: u8, root: b32, trainRecords: u32, testRecords: u32, features: u16, classes: u16 })
const b20 = bytes(20)
const snapshotOffer = container({ height: u32, block: b32, infoHash: b20, bytes: u32 })
const torrentOffer = container({ name: b32, infoHash: b20, bytes: u32 })
const note = container({ chain: b32, infoHash: b20, kind: u8, name: byteList(200), licence: byteList(64), about: byteList(512), bytes: u53, publisher: b32, job: b32, round: u32, parents: list(b20, 16) })
const signedNote = container({ note, signature: b64 })
const announcedItem = container({ infoHash: b20, share: u16, note: list(signedNote, 1) })
const receipt = container({ chain: b32, from: b32, to: b32, infoHash: b20, epoch: u32, bytes: u53 })
const signedReceipt = container({ receipt, signature: b64 })
const linkHello = container({ chain: b32, key: b32, peer: byteList(64), epoch: u32, last: list(signedReceipt, 1) })
const op = container({ kind: u8, a: u8, b: u8, relu: u8, units: u16, kernel: u8, stride: u8, padding: u8, groups: u16 })

/** By the name that the code exports. */
export const WIRE_SCHEMAS: Readonly<Record<string, Schema>> = {
  Template: template,
  Claim: claim,
  Seal: seal,
  SealSignature: sealSignature,
  SignedSeal: signedSeal,
  Transfer: transfer,
  PostJob: postJob,
  CancelJob: cancelJob,
  SetAside: setAside,
  RedeemedReceipt: redeemedReceipt,
  Redeem: redeem,
  Action: action,
  Transaction: transaction,
  SignedTransaction: signedTransaction,
  Body: body,
  Block: block,
  Vouch: vouch,
  Proposal: proposal,
  SealVote: sealVote,
  Challenge: challenge,
  WorkMessage: union(undefined, claim, vouch, proposal, sealVote, signedSeal, challenge),
  Status: container({ chain: b32, version: u16, head: b32, height: u32, work: u256, historyFrom: u32 }),
  HeadersRequest: container({ locator: list(b32, 64), count: u16 }),
  HeadersResponse: container({ headers: list(claim, 1024) }),
  SnapshotOffer: snapshotOffer,
  SnapshotRequest: container({ chain: b32 }),
  SnapshotResponse: container({ offers: list(snapshotOffer, 2) }),
  TorrentOffer: torrentOffer,
  TorrentsRequest: container({ chain: b32, names: list(b32, 16) }),
  TorrentsResponse: container({ offers: list(torrentOffer, 16) }),
  BodiesRequest: container({ hashes: list(b32, 8) }),
  BodiesResponse: container({ bodies: list(byteList(768 * KiB), 8) }),
  HostingRequest: container({ chain: b32, infoHash: b20, height: u32, block: b32, commitment: b32, nonce: list(b32, 1) }),
  PayloadRequest: container({ digest: b32 }),
  StateRequest: container({ job: b32, stateHash: b32, offset: u32 }),
  StateListRequest: container({ job: b32 }),
  StateListResponse: container({ rounds: list(u32, 64) }),
  DataRequest: container({ root: b32, first: u32, count: u32 }),
  DataResponse: container({ records: byteList(512 * KiB + 4 * KiB), proof: list(b32, 64) }),
  DataRef: dataRef,
  Note: note,
  SignedNote: signedNote,
  AnnouncedItem: announcedItem,
  Announcement: container({ items: list(announcedItem, 32) }),
  Receipt: receipt,
  SignedReceipt: signedReceipt,
  LinkHello: linkHello,
  LinkMessage: union(undefined, linkHello, signedReceipt),
  Op: op,
  JobSpec: container({
    name: byteList(64), channels: u16, height: u16, width: u16, ops: list(op, 32), operandBits: u8, optimiser: u8, lr20: u32, schedule: u8,
    batch: u16, stepsPerSlice: u16, inputNoise: u8, seed: b32, rounds: u32, data: dataRef
  })
}

/**
 * What one stranger may make this node do, in numbers; the adapters share them, so that what the
 * twin in memory teaches a test is true of the real mesh.
 */

/** A validator that has not answered by then has ignored the message. */
export const VALIDATOR_TIMEOUT_MS = 10_000
/**
 * Messages being validated at once: of one neighbour, and in all. Most places are for whoever comes first; the
 * rest is enough for each of as many neighbours as there are links to have a few.
 */
export const MAX_VALIDATIONS_PER_PEER = 64
export const MAX_VALIDATIONS = 512
export const VALIDATIONS_SHARED = 320
export const VALIDATIONS_KEPT_PER_PEER = 4
/**
 * A message is known for so long after its first copy, and further copies go no further than the adapter; then it is
 * forgotten, and one that comes is judged anew.
 */
export const SEEN_MS = 120_000
/**
 * Messages one neighbour may hand us: sustained per second, and at once. An honest one hands over what it passes on, each
 * once, and its own; asked for what we have missed it gives all it took within GOSSIP_HISTORY_SECONDS in one go.
 */
export const GOSSIP_PER_PEER_PER_SECOND = 50
export const GOSSIP_BURST = 500
/** What of that a copy costs, and what is on a topic that we do not follow: no signature of it is looked at. */
export const UNCHECKED_SHARE = 1 / 4
/** Heartbeats of a second for which gossipsub offers what it has passed on. */
export const GOSSIP_HISTORY_SECONDS = 3
/**
 * Packets one neighbour may send, of messages or of none: an honest one tells all its neighbours of each large message that it hears
 * for the first time, so there may be as many as its links (48) may bring it.
 */
export const PACKETS_PER_PEER_PER_SECOND = 48 * GOSSIP_PER_PEER_PER_SECOND
export const PACKETS_BURST = 48 * GOSSIP_BURST
/**
 * Messages we pass on, in all: less than one neighbour may hand over, own ones included, else whoever
 * says much would have those banned who pass it on. Most of that is for whoever comes first; of
 * the rest each neighbour has a little.
 */
export const FORWARDS_PER_SECOND = 40
export const FORWARDS_BURST = 200
export const FORWARDS_SHARED_PER_SECOND = 28
export const FORWARDS_SHARED_BURST = 140
export const FORWARDS_PER_PEER_PER_SECOND = 1
export const FORWARDS_PER_PEER_BURST = 5

/** Requests being answered at once on one protocol: of one peer, and in all. */
export const MAX_REQUESTS_PER_PEER = 8
export const MAX_REQUESTS_PER_PROTOCOL = 32
/** The request bucket holds this many seconds' worth of tokens. */
export const REQUEST_BURST_SECONDS = 4
/** Time a requester has for its body, and a handler for its answer. */
export const REQUEST_READ_TIMEOUT_MS = 10_000
export const HANDLER_TIMEOUT_MS = 30_000
/** Words a refusal may carry, bytes. */
export const MAX_REFUSAL_BYTES = 256

/** At or below this score a peer is disconnected and refused for a while. */
export const DISCONNECT_SCORE = -60
export const SCORE_BAN_MS = 10 * 60_000
/** A score recovers by half in this time. */
export const SCORE_HALF_LIFE_MS = 5 * 60_000
/** What an offence costs: three of the first kinds end in a disconnect. */
export const PENALTY_REJECTED_MESSAGE = 25
export const PENALTY_OVERSIZE = 25
/** Asking faster than agreed: a lost race of clocks must not hurt, a flood must. */
export const PENALTY_TOO_FAST = 1

/** Banned names kept; the oldest is forgotten first (peer ids are as cheap as page loads). */
export const MAX_BANS = 1024
/** Peers whose score or bucket is kept. */
export const MAX_TRACKED_PEERS = 2048

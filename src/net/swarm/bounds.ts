/** What one peer may make the swarm do, in numbers. */

/** Links of one torrent, and torrents that one peer may open links for. */
export const MAX_LINKS = 32
export const MAX_LINKS_PER_PEER = 32
/** Streams of strangers whose handshake is waited for. */
export const MAX_UNKNOWN_STREAMS = 64
/** BEP 9 metadata: what core/torrent/metainfo.ts reads at most. */
export const MAX_METADATA_BYTES = 4 * 1024 * 1024
/** A peer that serves us sends at least a block in this time, or it is left. */
export const SLOW_MS = 25_000
export const SLOW_BYTES = 16 * 1024
/** Of whom alone a piece is asked that was wrong, sends something of it in this time, or another is asked; twice as long once all were. */
export const ALONE_MS = SLOW_MS
/** Refusals of pieces a peer says it has, while it serves us. */
export const FALSE_HAVE_MAX = 64
/** Bytes of pieces nobody asked for, beside a share of those that were: a request given up may still be answered. */
export const UNASKED_BYTES_MAX = 4 * 1024 * 1024
export const UNASKED_SHARE = 16
/** One message of the wire: a block asked for by others' clients takes 128 KiB, a bitfield 8. */
export const MAX_WIRE_MESSAGE_BYTES = 256 * 1024
/** Blocks of one link that are read from the disk at once, bytes of it that wait for the other side to take them, and requests that wait for both: what clients ask for ahead is a few thousand at most. */
export const REQUESTS_READ_MAX = 64
export const UNSENT_BYTES_MAX = 2 * 1024 * 1024
export const REQUESTS_MAX = 16_384
/** Messages of the node at the other end, which says something once a second: sustained per second, and at once. */
export const LINK_MESSAGES_PER_SECOND = 8
export const LINK_MESSAGES_BURST = 64
/**
 * Messages of the wire that are neither blocks nor about one that was asked for: sustained per second, and at once. A
 * client that gets piece after piece at our speed is interested and uninterested in turns, once for each.
 */
export const WIRE_MESSAGES_PER_SECOND = 32
export const WIRE_MESSAGES_BURST = 1024
export const WIRE_MESSAGES_PER_PIECE = 2
/** A client sends one, and another one when it has the metadata or changes what it takes. */
export const EXTENDED_HANDSHAKES_MAX = 16
/** What is asked for of the metadata (BEP 9), and requests beyond twice its pieces. */
export const METADATA_PIECE_BYTES = 16 * 1024
export const METADATA_REQUESTS_SPARE = 64
/** Least between two looks at what messages of peers have changed, ms. */
export const LOOKS_MS = 50
/** With fewer links, a torrent that is not whole looks for peers beyond its neighbours. */
export const ENOUGH_LINKS = 6
/** Between two tries to reach a peer: doubles from the first to the second, ms. */
export const REDIAL_MS = [1_000, 30_000] as const
/** For how long a lost link may come of both sides dialling at once, ms. */
export const OPEN_MS = 10_000
/** Uploads of one torrent at once; one of them by turns (BEP 3, optimistic unchoking). */
export const UPLOAD_SLOTS = 8
/** Pieces that a torrent keeps in memory: bytes, and one piece in any case. */
export const CACHED_BYTES = 8 * 1024 * 1024
/** Least between two status events, ms. */
export const STATUS_MS = 250
/** Memory for pieces where there is no private file system, bytes. */
export const MEMORY_DISK_BYTES = 256 * 1024 * 1024

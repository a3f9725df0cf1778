/**
 * Challenges for those who say that they hold a set of files: which piece has to be shown, and what
 * shows it. The draw takes something that neither side chose (the rho of a block), something of each
 * that the other does not know in time (nonce, committed to before; salt), and both names, so that
 * neither can aim it and an answer to one is of no use to another. docs/protocol.md, section 16.
 * Source: coin flipping by commitment (Blum 1981); storage challenges by hash of nonce and data.
 */
import { ascii, firstU32, hash } from '../crypto/hash.ts'

export const hostingCommitment = (nonce: Uint8Array): Uint8Array => hash('hosting-commitment', nonce)

export interface HostingDraw {
  readonly rho: Uint8Array
  /** 20 bytes. */
  readonly infoHash: Uint8Array
  /** Names in the mesh. */
  readonly challenger: string
  readonly challenged: string
  /** 32 bytes each, of the challenger and of the challenged. */
  readonly nonce: Uint8Array
  readonly salt: Uint8Array
}

const nameHash = (peer: string): Uint8Array => hash('hosting-name', ascii(peer))

export const hostingDraw = (d: HostingDraw): Uint8Array =>
  hash('hosting', d.rho, d.infoHash, nameHash(d.challenger), nameHash(d.challenged), d.nonce, d.salt)

/** Index of the piece; of at most 65536 pieces none is likelier than another by more than 2^-16 of its share. */
export const drawnPiece = (draw: Uint8Array, pieces: number): number => firstU32(draw) % pieces

/** Whoever makes it has had the whole piece after the draw was known. */
export const hostingAnswer = (draw: Uint8Array, piece: Uint8Array): Uint8Array => hash('hosting-answer', draw, piece)

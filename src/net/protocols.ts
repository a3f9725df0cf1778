/** Protocols of the mesh itself, spoken by tabs and by the server. */
import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '../ports/network.ts'

/** Says which network one belongs to; answered by peers of it that can be reached through the server. */
export const RENDEZVOUS = '/cw/1/rendezvous'
/** Answered by the direct neighbours of the one asked. */
export const NEIGHBOURS = '/cw/1/neighbours'

export const MAX_NAMESPACE_BYTES = 64
/** Names one answer may carry, and its bytes: an Ed25519 peer id is 52 characters. */
export const MAX_NAMES = 16
export const MAX_NAMES_BYTES = MAX_NAMES * 72

export const encodeNames = (names: readonly PeerId[]): Uint8Array => new TextEncoder().encode(names.slice(0, MAX_NAMES).join('\n'))

/** The well-formed names of an answer; whatever else it holds is dropped. */
export function decodeNames (bytes: Uint8Array): PeerId[] {
  return new TextDecoder().decode(bytes).split('\n').slice(0, MAX_NAMES).filter(isName)
}

/** The right letters are not enough: whoever takes a name for a peer's must be able to read it, and find it written as its own is. */
function isName (text: string): boolean {
  if (!/^[1-9A-HJ-NP-Za-km-z]{46,64}$/.test(text)) return false
  try {
    return peerIdFromString(text).toString() === text
  } catch {
    return false
  }
}

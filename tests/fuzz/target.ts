/**
 * One thing that strangers can hand bytes or text to. `run` answers with `ACCEPTED` or the name of
 * the reason it was refused for; whatever it throws is a find.
 */
import type { Rng } from './random.ts'

export const ACCEPTED = 'accepted'

export interface Target {
  readonly name: string
  /** Bytes of an input at most. */
  readonly max: number
  /** What it fuzzes, as 'path#function': tests/fuzz/closedWorld.test.ts wants every parser in some target. */
  readonly covers: readonly string[]
  /** Takes so many times as long as a decoder, and gets as many fewer inputs. */
  readonly slowness?: number
  /** Words of the format. */
  readonly dictionary?: readonly Uint8Array[]
  /** Good inputs to begin with. */
  readonly seeds: (rng: Rng) => readonly Uint8Array[]
  /** A new input of the right form, where they can be drawn; half of them are run as they are. */
  readonly fresh?: (rng: Rng) => Uint8Array
  /** One input in so many begins with a drawn one. */
  readonly freshEvery?: number
  readonly run: (input: Uint8Array) => string | Promise<string>
}

/** What must never happen: neither a value nor a refusal. */
export class Violation extends Error {}

export function must (holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what)
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
export const textBytes = (text: string): Uint8Array => encoder.encode(text)
export const bytesText = (bytes: Uint8Array): string => decoder.decode(bytes)
export const words = (...list: readonly string[]): Uint8Array[] => list.map(textBytes)

/** A refusal in words as a name: its first three words, without what the input put in. */
export function reasonOf (message: string): string {
  return message.split(/[\s:]+/, 3).filter(word => /^[A-Za-z-]+$/.test(word)).join(' ') || 'refused'
}

/**
 * Headers as bytes. Decoded one takes 4.3 kB, and a month of them, a quarter of a million, is to be linked in a tab
 * that joins: those that the rules about ancestors have left behind are packed, a thousand into one array, and decoded
 * anew whenever somebody looks at one.
 */
import { Claim } from '../core/codec/wire.ts'
import type { HeaderMeta } from '../core/consensus/chain.ts'

const CLAIM_BYTES = Claim.fixedSize!
const ENTRY_BYTES = CLAIM_BYTES + 3 * 32
/** Headers packed in one go. */
export const PACKED_AT_ONCE = 1024

class PackedHeader implements HeaderMeta {
  readonly #bytes: Uint8Array
  readonly #at: number
  readonly height: number
  readonly work: bigint
  readonly parent: HeaderMeta | undefined

  constructor (bytes: Uint8Array, at: number, of: HeaderMeta, parent: HeaderMeta | undefined) {
    this.#bytes = bytes
    this.#at = at
    this.height = of.height
    this.work = of.work
    this.parent = parent
  }

  get header (): Claim { return Claim.deserialize(this.#bytes.subarray(this.#at, this.#at + CLAIM_BYTES)) }
  get hash (): Uint8Array { return this.#field(0) }
  get rho (): Uint8Array { return this.#field(1) }
  get ticket (): Uint8Array { return this.#field(2) }

  #field (n: number): Uint8Array {
    const from = this.#at + CLAIM_BYTES + 32 * n
    return this.#bytes.subarray(from, from + 32)
  }
}

/** Packs `headers[from]` to `headers[to - 1]` in place: each follows the one before it, and goes on doing so. */
function pack (headers: HeaderMeta[], from: number, to: number): void {
  const bytes = new Uint8Array((to - from) * ENTRY_BYTES)
  const view = { uint8Array: bytes, dataView: new DataView(bytes.buffer) }
  for (let i = from; i < to; i++) {
    const h = headers[i]
    const at = (i - from) * ENTRY_BYTES
    Claim.value_serializeToBytes(view, at, h.header)
    for (const [n, field] of [h.hash, h.rho, h.ticket].entries()) bytes.set(field, at + CLAIM_BYTES + 32 * n)
    headers[i] = new PackedHeader(bytes, at, h, i === 0 ? h.parent : headers[i - 1])
  }
  if (to < headers.length) (headers[to] as { parent?: HeaderMeta }).parent = headers[to - 1]
}

/** Packs all but the newest `keep`, and the few that do not fill an array yet. `packed`: how many are. Returns how many are then. */
export function packOld (headers: HeaderMeta[], packed: number, keep: number): number {
  while (headers.length - keep - packed >= PACKED_AT_ONCE) {
    pack(headers, packed, packed + PACKED_AT_ONCE)
    packed += PACKED_AT_ONCE
  }
  return packed
}

/**
 * The three members of Node's Buffer that @chainsafe/ssz uses without asking whether they are there.
 * vite.config.ts hands this class to that package alone: a global Buffer would tell other packages
 * that they run on Node.
 */
export class Buffer extends Uint8Array {
  static override from (bytes: ArrayBuffer, offset: number, length: number): Buffer
  static override from (): never
  static override from (bytes?: ArrayBuffer, offset?: number, length?: number): Buffer {
    return new Buffer(bytes!, offset, length)
  }

  static alloc (size: number): Buffer { return new Buffer(size) }

  /** `bytes` bytes of `value`, least significant first, at `offset`. Exact up to 2^48. */
  writeUIntLE (value: number, offset: number, bytes: number): number {
    for (let i = 0, rest = value; i < bytes; i++, rest = Math.floor(rest / 256)) this[offset + i] = rest % 256
    return offset + bytes
  }
}

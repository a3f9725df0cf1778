/**
 * What a page stores, by the browser's account unless that cannot be true: Chromium's figure for files may
 * wrap at 2^32 after files were deleted, and then says four gigabytes where there are twenty megabytes.
 * Source: Storage Standard, 6 (estimate()); `usageDetails` is Chromium's own.
 */

/** Bytes. Smaller accounts are believed: one that has wrapped lies just below 2^32 or above it. */
const SUSPECT_FROM = 2 ** 32 - 64 * 2 ** 20
/** Bytes between the account and what is there that no rounding and no block size explain. */
const WRAPPED_BY_LEAST = 2 ** 31
/** Bytes by which the account may move before the files are counted again: that looks at every one of them. */
const RECOUNT_AFTER = 64 * 2 ** 20

export interface Estimate {
  readonly usage?: number
  readonly quota?: number
  readonly usageDetails?: Readonly<Record<string, number>>
}

export interface Usage {
  readonly used: number
  readonly quota?: number
  /** What the browser says, where `used` is this page's own count instead. */
  readonly claimed?: number
}

export class UsageReader {
  /** Bytes that the browser counted too much when its account stood `at`. */
  #excess = { at: -Infinity, bytes: 0 }

  /** `countFiles`: bytes of all files of this site, whichever tab wrote them. */
  async read ({ usage = 0, quota, usageDetails }: Estimate, countFiles: () => Promise<number>): Promise<Usage> {
    const honest: Usage = quota === undefined ? { used: usage } : { used: usage, quota }
    // Only where the account says what it is made of can its other parts be kept.
    if (usage < SUSPECT_FROM || usageDetails === undefined) return honest
    if (Math.abs(usage - this.#excess.at) > RECOUNT_AFTER) {
      const others = Object.entries(usageDetails).reduce((sum, [part, bytes]) => part === 'fileSystem' ? sum : sum + bytes, 0)
      const over = usage - others - await countFiles()
      this.#excess = { at: usage, bytes: over > WRAPPED_BY_LEAST ? over : 0 }
    }
    const { bytes } = this.#excess
    if (bytes === 0) return honest
    // The browser refuses by its own account, so that what is too much in it is missing from the quota.
    return { used: Math.max(0, usage - bytes), claimed: usage, ...(quota === undefined ? {} : { quota: Math.max(0, quota - bytes) }) }
  }
}

/** As the DOM library of a worker has it, and a page. */
interface Folder { entries (): AsyncIterable<[string, FileSystemHandle]> }

/** Bytes of all files in a folder and below it. */
export async function folderBytes (folder: Folder): Promise<number> {
  let sum = 0
  for await (const [, handle] of folder.entries()) {
    sum += handle.kind === 'file' ? (await (handle as FileSystemFileHandle).getFile()).size : await folderBytes(handle as FileSystemDirectoryHandle)
  }
  return sum
}

/** What a dead tab is held to, on disks made by hand: the tabs themselves are in perturb.e2e.ts. */
import { describe, expect, test } from 'vitest'
import { toHex } from '../../../src/core/codec/ssz.ts'
import { Body, Claim } from '../../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import { bodyRoot, claimId } from '../../../src/core/crypto/ids.ts'
import { TEST } from '../../../src/core/params.ts'
import { checkDisk } from './checks.ts'
import type { Shown } from './inPage.ts'
import { type Identity, Oracle, StoredHeader } from './oracle.ts'
import type { Dump } from './witness.ts'

const REDONE = 0
const TRUSTED = 2
const TRANSFER = 'a'.repeat(64)

/** Blocks of a disk, and the oracle that has seen all of them. */
class Disk {
  readonly oracle = new Oracle()
  readonly #headers: Array<readonly [string, string]> = []
  readonly #bodies: Array<readonly [string, string]> = []
  #made = 0

  /** So many blocks on one; the newest of them. */
  grow (from: BlockMeta, blocks: number, checked: number): BlockMeta {
    let tip = from
    for (let i = 0; i < blocks; i++) tip = this.#add(tip, checked)
    return tip
  }

  #add (parent: BlockMeta, checked: number): BlockMeta {
    const body = Body.defaultValue()
    const claim = Claim.defaultValue()
    const header = { ...claim, slice: this.#made++, template: { ...claim.template, height: parent.height + 1, parent: parent.hash, bodyRoot: bodyRoot(body), miner: new Uint8Array(32).fill(9) } }
    const hash = claimId(header)
    const meta: BlockMeta = { ...parent, hash, header, height: parent.height + 1, work: parent.work + 1n, parent }
    const key = `${meta.height.toString(16).padStart(8, '0')}/${toHex(hash)}`
    const base64 = (b: Uint8Array): string => Buffer.from(b).toString('base64')
    this.#headers.push([`n/${key}`, base64(StoredHeader.serialize({ header, work: meta.work, rho: new Uint8Array(32), checked }))])
    this.#bodies.push([key, base64(Body.serialize(body))])
    this.oracle.saw({ hash: toHex(hash), height: meta.height, parent: toHex(parent.hash), miner: '09'.repeat(32), onMainChain: true })
    this.oracle.blocks.get(toHex(hash))!.meta = meta
    return meta
  }

  /** Its newest block is taken away. */
  lose (): void {
    this.#headers.pop()
    this.#bodies.pop()
  }

  get dump (): Dump {
    const byKey = (a: readonly [string, string], b: readonly [string, string]): number => a[0] < b[0] ? -1 : 1
    const bodies = [...this.#bodies].sort(byKey)
    return { name: 'disk', headers: [...this.#headers].sort(byKey), bodyKeys: bodies.map(([key]) => key), bodies, pool: [], slices: [] }
  }

  /** What the tab that had shown `head` must go on from, and what is missing. */
  check (head: BlockMeta, sent = false, givenUp: readonly string[] = [], joinedAt = 0): { readonly best: number, readonly losses: string[] } {
    const shown = { head: toHex(head.hash), joinedAt } as Shown
    const who: Identity = { profile: 0, slot: 0, database: 'disk', miner: 'f'.repeat(64), key: 'e'.repeat(64), shown, shownAt: new Map([[shown.head, 0]]), acknowledged: new Map(sent ? [[TRANSFER, 0]] : []), still: undefined, diedAt: undefined, hired: true }
    const { best, losses } = checkDisk(this.oracle, who, this.dump, Date.now(), [], new Set(givenUp), shown.head)
    return { best: best.height, losses: losses.map(l => l.what) }
  }
}

describe('the chain to go on from', () => {
  test('is the heaviest, where all of its work was redone', () => {
    const disk = new Disk()
    const fork = disk.grow(disk.oracle.genesis, 10, REDONE)
    const shown = disk.grow(fork, 5, REDONE)
    disk.grow(fork, 9, REDONE)
    expect(disk.check(shown)).toEqual({ best: 19, losses: [] })
  })

  test('is none that was taken on trust: beside the one that was shown, above it, or shown itself', () => {
    const disk = new Disk()
    const fork = disk.grow(disk.oracle.genesis, 10, REDONE)
    const shown = disk.grow(fork, 9, REDONE)
    disk.grow(fork, 13, TRUSTED)
    expect(disk.check(shown).best).toBe(19)
    const above = disk.grow(shown, 4, TRUSTED)
    expect(disk.check(shown).best).toBe(19)
    expect(disk.check(above).best).toBe(19)
    // One block that was redone says nothing of those below it.
    expect(disk.check(disk.grow(above, 1, REDONE)).best).toBe(19)
  })

  test('is one on trust that was shown below enough blocks that were redone', () => {
    const disk = new Disk()
    const trusted = disk.grow(disk.grow(disk.oracle.genesis, 10, REDONE), 13, TRUSTED)
    expect(disk.check(disk.grow(trusted, TEST.joinReplayBlocks - 1, REDONE)).best).toBe(10)
    expect(disk.check(disk.grow(trusted, TEST.joinReplayBlocks, REDONE)).best).toBe(23 + TEST.joinReplayBlocks)
  })
})

test('a transfer is in a block of any branch, or the wallet says that it will not happen, or it is lost', () => {
  const disk = new Disk()
  const fork = disk.grow(disk.oracle.genesis, 10, REDONE)
  const shown = disk.grow(fork, 9, REDONE)
  const side = disk.grow(fork, 3, REDONE)
  expect(disk.check(shown, true).losses).toEqual(['transaction'])
  expect(disk.check(shown, true, [TRANSFER]).losses).toEqual([])
  disk.oracle.blocks.get(toHex(side.hash))!.transactions = new Set([TRANSFER])
  expect(disk.check(shown, true).losses).toEqual([])
})

test('a block that was shown long ago is there, unless it is the one whose ledger its chain was joined by', () => {
  const disk = new Disk()
  const shown = disk.grow(disk.grow(disk.oracle.genesis, 10, REDONE), 1, TRUSTED)
  expect(disk.check(shown).losses).toEqual([])
  disk.lose()
  expect(disk.check(shown).losses).toEqual(['block'])
  expect(disk.check(shown, false, [], 10).losses).toEqual(['block'])
  expect(disk.check(shown, false, [], 11).losses).toEqual([])
})

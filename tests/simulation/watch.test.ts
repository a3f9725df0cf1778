/** Checkers of watch.ts against a node that does what none may do. */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import { Faults } from './faults.ts'
import { drawOptions } from './options.ts'
import type { Node } from '../../src/node/node.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import type { Session, Tab } from './tab.ts'
import type { Users } from './users.ts'
import { DEPTH, Watch } from './watch.ts'
import { World } from './world.ts'

type Head = (e: { readonly head: BlockRecord['meta'], readonly removed: readonly BlockRecord[], readonly added: readonly BlockRecord[] }) => void

interface Rig {
  readonly world: World
  readonly tab: Tab
  readonly watch: Watch
  /** Its page is loaded, with this much work on the disk. */
  load(work: bigint): void
  rest(o: { readonly work: bigint, readonly isAdopted: boolean }): void
  head: Head
  /** None of its blocks is there any more. */
  lacks: boolean
  /** What its wallet says was not sent. */
  unsent: Array<{ readonly id: string, readonly why: string }>
  fired(): string[]
}

function rig (): Rig {
  const world = new World({ seed: 'watch', nodes: 3, compute: 'stand-in', laptopSliceMs: 250, devices: 'laptop' })
  const o = drawOptions({ seed: 'watch', nodes: 3, enemies: [] })
  const watch = new Watch(world, new Faults(world, o.faults), [])
  const [tab] = world.tabs
  const of = (work: bigint, isAdopted = false): Node => ({
    chain: {
      head: () => ({ ...world.genesis, work }), baseHeight: () => 0, at: () => undefined, has: () => !r.lacks, isAdopted,
      on: (what: string, listener: Head) => { if (what === 'head') r.head = listener }
    },
    payee: hash('test'), pool: { pending: () => [] }, spending: { unsent: () => r.unsent }, sync: { unproved: () => false }, rounds: { onTip: () => {} }, refusals: { onRefusal: () => {} }, log: { onEntry: () => {} }, net: { banned: [] }
  }) as unknown as Node
  const r: Rig = {
    world, tab, watch, head: () => {}, lacks: false, unsent: [],
    load: work => {
      const node = of(work)
      tab.session = { id: 'n0.1', node, device: {}, life: { up: true } } as unknown as Session
      world.opened(tab, node)
    },
    rest: ({ isAdopted, work }) => { world.rested(tab, of(work, isAdopted)) },
    fired: () => watch.violations.map(v => v.checker)
  }
  return r
}

describe('a tab that was closed in good order', () => {
  it('goes on from where it was', () => {
    const r = rig()
    r.rest({ work: 9n, isAdopted: false })
    r.load(9n)
    expect(r.fired()).toEqual([])
    r.load(8n)
    expect(r.fired()).toEqual(['height lost'])
  })

  it('p-5: joins anew where what it joined by a ledger was not settled', () => {
    const r = rig()
    r.rest({ work: 9n, isAdopted: true })
    r.load(0n)
    expect(r.fired()).toEqual([])
  })
})

// Regression: world n35-25, a forged branch that was dropped in the moment of the tab's death.
it('a tab that is loaded again has every block that it was told is on its disk, but for those it has deleted', () => {
  for (const deletes of [false, true]) {
    const r = rig()
    r.load(0n)
    const block = { ...r.world.genesis, height: 1, hash: hash('test') }
    r.head({ head: block, removed: [], added: [] })
    const key = `n/00000001/${toHex(block.hash)}`
    r.tab.diskEvents.committed!([{ op: 'put', store: 'headers', key, value: new Uint8Array(1) }])
    if (deletes) r.tab.diskEvents.asked!([{ op: 'delete', store: 'headers', key }])
    r.lacks = true
    r.load(0n)
    expect(r.fired()).toEqual(deletes ? [] : ['committed block lost'])
  }
})

describe('a reorganisation', () => {
  const removed = (r: Rig, n: number): BlockRecord[] => Array.from({ length: n }, () => ({ meta: r.world.genesis, body: { transactions: [], seals: [] }, checked: 'replayed' }) as unknown as BlockRecord)

  it('is no deeper than luck makes it', () => {
    const r = rig()
    r.load(0n)
    r.head({ head: r.world.genesis, removed: removed(r, DEPTH), added: [] })
    expect(r.fired()).toEqual([])
    r.head({ head: r.world.genesis, removed: removed(r, DEPTH + 1), added: [] })
    expect(r.fired()).toEqual(['reorganisation'])
  })
})

describe('a block of the future', () => {
  const added = (r: Rig, aheadMs: number): BlockRecord[] => {
    const meta = { ...r.world.genesis, height: 1, header: { ...r.world.genesis.header, template: { ...r.world.genesis.header.template, time: r.world.now + r.world.params.futureMs + aheadMs } } }
    return [{ meta, body: { transactions: [], seals: [] }, checked: 'ledger' } as unknown as BlockRecord]
  }

  it('is taken by a clock that is ahead alone, and only as far as that', () => {
    const r = rig()
    r.load(0n)
    const fired = (): boolean => r.fired().includes('block of the future')
    r.head({ head: r.world.genesis, removed: [], added: added(r, 0) })
    expect(fired()).toBe(false)
    r.head({ head: r.world.genesis, removed: [], added: added(r, 1) })
    expect(fired()).toBe(true)
  })
})

describe('a transfer that a wallet took', () => {
  const sent = (r: Rig): Users => ({ sent: [{ tab: r.tab, profile: 0, id: 'aa', nonce: 0, kind: 'transfer', atMs: 0 }], asked: [] }) as unknown as Users
  const owns = (r: Rig, balance: bigint): BlockRecord['meta'] => ({ ...r.world.genesis, ledger: { ...r.world.genesis.ledger, accounts: r.world.genesis.ledger.accounts.set(hash('test'), { balance, nonce: 0 }) } })

  it('is not lost, also where the page was loaded again', () => {
    const r = rig()
    r.load(0n)
    r.tab.loads = 2
    r.watch.finish(sent(r))
    expect(r.fired()).toEqual(['transaction lost'])
  })

  it('is lost where another of the wallet\'s has its nonce, whatever the wallet says of it', () => {
    const r = rig()
    r.load(0n)
    r.unsent = [{ id: 'aa', why: 'taken' }]
    r.head({ head: { ...owns(r, 9n), ledger: { ...r.world.genesis.ledger, accounts: r.world.genesis.ledger.accounts.set(hash('test'), { balance: 9n, nonce: 1 }) } }, removed: [], added: [] })
    r.watch.finish(sent(r))
    expect(r.fired()).toEqual(['transaction lost'])
  })

  it('is given up where its credits were taken back, and the wallet says so', () => {
    const voided = (o: { readonly credits: readonly bigint[], readonly said: boolean }): string[] => {
      const r = rig()
      r.load(0n)
      if (o.said) r.unsent = [{ id: 'aa', why: 'void' }]
      for (const balance of o.credits) r.head({ head: owns(r, balance), removed: [], added: [] })
      r.watch.finish(sent(r))
      return r.fired()
    }
    expect(voided({ credits: [9n, 8n], said: true })).toEqual([])
    expect(voided({ credits: [9n, 8n], said: false })).toEqual(['transaction lost'])
    expect(voided({ credits: [8n, 9n], said: true })).toEqual(['transaction lost'])
  })
})

/**
 * The auditor against the cheaters of cheats.ts, one for every rule: each is named by that rule, and
 * by nothing else but what is the same thing seen from another side; the honest block beside it by nothing.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { encodeJobSpec } from '../../../src/core/codec/jobSpec.ts'
import { Block } from '../../../src/core/codec/wire.ts'
import { REASON_CODES, type ReasonCode } from '../../../src/core/consensus/refusal.ts'
import type { ChainKit } from '../../core/chainKit.ts'
import { type BlockAndFacts, CHEATS, kit } from '../../core/consensus/cheats.ts'
import { Auditor } from './auditor.ts'
import { hexOf } from './bytes.ts'
import { Ledger } from './ledger.ts'
import { VIOLATIONS } from './violations.ts'
import { readBlock } from './wire.ts'

// A second or two on an idle machine, more on a busy one.
vi.setConfig({ testTimeout: 120_000 })

/**
 * What no block shows by itself: what was unknown, or not yet, to whoever refused it (books.test.ts); work,
 * which replay.test.ts redoes; and a nonce that no test reaches by blocks.
 */
const NOT_HERE: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'header-time-future', 'replay-unavailable', 'seal-state-unavailable',
  'result-hash', 'payload-digest', 'seal-payload', 'seal-state-hash', 'contribution-wrong',
  'transaction-nonce-exhausted'
])

const EXPECTED: Partial<Record<ReasonCode, readonly string[]>> = {
  // The parent is what the header names: what differs then is all that hangs on its place.
  'header-parent': ['header-height', 'header-randomness', 'state-root'],
  'transaction-nonce-reused': ['transaction-nonce-reused', 'transaction-repeated'],
  'seal-round': ['contribution-repeated', 'seal-round', 'ticket-repeated'],
  'seal-contribution-repeated': ['seal-contribution-repeated', 'ticket-repeated'],
  // Stuffed with copies of one transaction and one seal.
  'body-size': ['body-size', 'contribution-repeated', 'post-spec-encoding', 'seal-anchor-unknown', 'ticket-repeated', 'transaction-repeated'],
  'body-receipts': ['body-receipts', 'redeem-bytes', 'transaction-repeated']
}

const auditors = new Map<ChainKit, Auditor>()
function auditorOf (k: ChainKit): Auditor {
  const auditor = auditors.get(k) ?? new Auditor(k.params, encodeJobSpec(k.genesis.ledger.jobs[0].spec))
  auditors.set(k, auditor)
  return auditor
}

function audit (b: BlockAndFacts): string[] {
  const k = b.kit ?? kit
  const auditor = auditorOf(k)
  for (const block of k.blocks(b.on)) expect(auditor.add(Block.serialize(block)).violations).toEqual([])
  return [...new Set(auditor.add(Block.serialize(b.block)).violations.map(v => v.name))].sort()
}

describe('the auditor', () => {
  it('makes the same genesis block', () => {
    const { genesis } = auditorOf(kit)
    expect(genesis.id).toBe(hexOf(kit.genesis.hash))
    expect(hexOf(genesis.header.template.stateRoot)).toBe(hexOf(kit.genesis.header.template.stateRoot))
  })

  it('has a name for every reason that a block on a chain can give', () => {
    const names: readonly string[] = VIOLATIONS
    expect(REASON_CODES.filter(r => !names.includes(r))).toEqual(['header-parent', 'replay-unavailable', 'seal-state-unavailable'])
  })

  it('has no name that nothing shows', () => {
    const here = new Set([...REASON_CODES.filter(r => !NOT_HERE.has(r)), ...Object.values(EXPECTED).flat(), 'transaction-nonce-exhausted', 'encoding', 'parent-unknown'])
    const elsewhere = ['books', 'replay'].map(name => readFileSync(new URL(`${name}.test.ts`, import.meta.url), 'utf8')).join('\n')
    expect(VIOLATIONS.filter(name => !here.has(name) && !elsewhere.includes(`['${name}'`))).toEqual([])
  })

  for (const reason of REASON_CODES.filter(r => !NOT_HERE.has(r))) {
    it(`names ${reason}`, () => {
      const { honest, cheat } = CHEATS[reason]()
      if (honest !== undefined) expect(audit(honest)).toEqual([])
      expect(audit(cheat)).toEqual(EXPECTED[reason] ?? [reason])
    })
  }

  it('names transaction-nonce-exhausted', () => {
    const { honest, cheat } = CHEATS['transaction-nonce-exhausted']()
    const names = [honest!, cheat].map(({ on, block }) => {
      const read = readBlock(Block.serialize(block))
      if ('wrong' in read) throw new Error(read.wrong)
      const [{ transaction }] = read.value.body.transactions
      const ledger = new Ledger()
      ledger.accounts.set(hexOf(transaction.from), { balance: 10n ** 9n, nonce: on.ledger.accounts.get(transaction.from)!.nonce })
      return ledger.transactionFinding(kit.params, hexOf(kit.genesis.hash), transaction)?.[0]
    })
    expect(names).toEqual([undefined, 'transaction-nonce-exhausted'])
  })

  it('names encoding: bytes that are no block, or not the only ones for it', () => {
    const bytes = Block.serialize(kit.mine(kit.genesis).block)
    const auditor = auditorOf(kit)
    const names = (b: Uint8Array): string[] => auditor.add(b).violations.map(v => v.name)
    expect(names(bytes)).toEqual([])
    expect(names(Uint8Array.of(...bytes, 0))).toEqual(['encoding'])
    expect(names(bytes.subarray(0, -1))).toEqual(['encoding'])
    expect(names(new Uint8Array(0))).toEqual(['encoding'])
    const gap = Uint8Array.from(bytes)
    gap[506]++
    expect(names(gap)).toEqual(['encoding'])
  })

  it('names parent-unknown', () => {
    const second = kit.mine(kit.mine(kit.genesis).meta).block
    expect(new Auditor(kit.params, encodeJobSpec(kit.genesis.ledger.jobs[0].spec)).add(Block.serialize(second)).violations.map(v => v.name)).toEqual(['parent-unknown'])
  })
})

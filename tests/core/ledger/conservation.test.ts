/** Whatever valid blocks do: no grain appears or is lost, and every account's history explains its balance. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../../src/core/codec/ssz.ts'
import type { BlockMeta } from '../../../src/core/consensus/chain.ts'
import type { LedgerEvent } from '../../../src/core/ledger/apply.ts'
import { decodeLedger, encodeLedger, escrowSum, isConserved, isEnded, ledgerRoot, type LedgerState, maturingSum } from '../../../src/core/ledger/state.ts'
import { MAX_ACTIVE_JOBS } from '../../../src/core/params.ts'
import { EASY } from '../chainKit.ts'
import { runScript, script } from './anyChain.ts'

/** What an account holds in all: spendable and unripe. */
function holdings (ledger: LedgerState): Map<string, bigint> {
  const out = new Map<string, bigint>()
  const add = (key: Uint8Array, n: bigint): void => { out.set(toHex(key), (out.get(toHex(key)) ?? 0n) + n) }
  for (const [key, a] of ledger.accounts.entries()) add(key, a.balance)
  for (const m of ledger.maturing) add(m.account, m.amount)
  return out
}

const potsOf = (ledger: LedgerState): bigint => ledger.seeding.setAside.sum + ledger.seeding.redeemable.sum

function checkBlock (before: BlockMeta, after: BlockMeta, events: readonly LedgerEvent[]): void {
  const { ledger } = after
  expect(isConserved(ledger)).toBe(true)
  expect(ledger.accounts.sum + maturingSum(ledger) + escrowSum(ledger) + potsOf(ledger) + ledger.burned).toBe(ledger.issued)
  expect(after.header.template.stateRoot).toEqual(ledgerRoot(ledger))
  expect(ledger.issued - before.ledger.issued).toBeLessThanOrEqual(EASY.subsidy)
  expect(ledger.burned).toBeGreaterThanOrEqual(before.ledger.burned)
  expect(ledger.jobs.filter(j => j.status === 'waiting' || j.status === 'active').length).toBeLessThanOrEqual(MAX_ACTIVE_JOBS)
  for (const j of ledger.jobs) {
    if (j.cancelsAt !== 0 && !isEnded(j)) expect(j.cancelsAt).toBeGreaterThan(ledger.height)
    if (isEnded(j)) expect(j.escrowLeft).toBe(0n)
    expect(j.escrowLeft).toBeLessThanOrEqual(j.escrow)
  }
  for (const [, a] of ledger.accounts.entries()) expect(a.balance).toBeGreaterThanOrEqual(0n)

  const explained = holdings(before.ledger)
  for (const e of events) explained.set(toHex(e.account), (explained.get(toHex(e.account)) ?? 0n) + e.amount)
  const held = holdings(ledger)
  for (const key of new Set([...explained.keys(), ...held.keys()])) expect(held.get(key) ?? 0n).toBe(explained.get(key) ?? 0n)

  const again = decodeLedger(encodeLedger(ledger))
  expect(again.ok && toHex(ledgerRoot(again.value))).toBe(toHex(ledgerRoot(ledger)))
}

describe('conservation', () => {
  it('holds at every block of any sequence of transactions, jobs and seals', () => {
    const did: Record<string, number> = {}
    fc.assert(fc.property(script, steps => { runScript(steps, did, (before, mined) => { checkBlock(before, mined.meta, mined.events) }) }), { numRuns: 25, seed: 7 })
    for (const kind of ['block-reward', 'contribution', 'contribution-subsidy', 'fees', 'received', 'sent', 'job-posted', 'job-refund', 'set-aside', 'seeding-pay', 'set-aside-returned', 'active', 'expired', 'being cancelled', 'cancelled', 'exhausted']) {
      expect(did[kind] ?? 0, kind).toBeGreaterThan(0)
    }
  }, 120_000)
})

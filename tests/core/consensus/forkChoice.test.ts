/** Which of two chains is better, and what a reorganisation leaves behind. */
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../../../src/core/codec/ssz.ts'
import { ancestor, type BlockMeta, compareChains, isAncestor } from '../../../src/core/consensus/chain.ts'
import { account, benchmarkJob, ledgerRoot } from '../../../src/core/ledger/state.ts'
import { targetForWork } from '../../../src/core/params.ts'
import { ChainKit, EASY, keyPair } from '../chainKit.ts'

const kit = new ChainKit()
const tip = kit.grown()

describe('fork choice', () => {
  it('prefers more work, however many blocks the other has', () => {
    const light = kit.extend(tip, 3, [keyPair(1)])
    const heavy: BlockMeta = { ...kit.extend(tip, 1, [keyPair(2)]), work: light.work + 1n }
    expect(compareChains(heavy, light)).toBeGreaterThan(0)
    expect(compareChains(light, heavy)).toBeLessThan(0)
  })

  it('counts work by target, not by blocks', () => {
    const params = { ...EASY, name: 'work', genesisTarget: targetForWork(4096n) }
    const hard = new ChainKit(params)
    // Any slice wins under this target: it costs more than 4096.
    const a = hard.extend(hard.genesis, 2)
    expect(a.work).toBe(2n * 4096n)
  })

  it('breaks a tie by the lower ticket, then by the lower hash, and never calls two blocks equal', () => {
    const forks = [1, 2, 3, 4, 5].map(n => kit.mine(tip, { miner: keyPair(n) }).meta)
    const best = forks.reduce((a, b) => compareChains(a, b) > 0 ? a : b)
    for (const f of forks) {
      if (f === best) continue
      expect(compareBytes(best.ticket, f.ticket)).toBeLessThan(0)
      expect(compareChains(f, best)).toBeLessThan(0)
    }
    const [a, b] = [forks[0], { ...forks[1], ticket: forks[0].ticket }]
    expect(Math.sign(compareChains(a, b))).toBe(compareBytes(a.hash, b.hash) < 0 ? 1 : -1)
    expect(compareChains(a, a)).toBe(0)
  })

  it('sees ancestors', () => {
    const longer = kit.extend(tip, 5)
    const fork = kit.mine(tip, { miner: keyPair(7) }).meta
    expect(ancestor(longer, tip.height)).toBe(tip)
    expect(ancestor(longer, longer.height + 1)).toBeUndefined()
    expect(isAncestor(longer, tip)).toBe(true)
    expect(isAncestor(longer, fork)).toBe(false)
  })
})

describe('a reorganisation', () => {
  it('undoes nothing: the other branch never saw the payment or the seal', () => {
    const [ann, bob] = [keyPair(1), keyPair(9)]
    const job = benchmarkJob(tip.ledger)
    const seal = kit.seal(tip, job, [kit.contribution(tip, job, ann)])
    const paid = kit.mine(tip, { transactions: [kit.transfer(tip, ann, bob.key, 77n)], seals: [seal] }).meta
    const branch = kit.extend(tip, 3, [keyPair(2)])
    expect(account(paid.ledger, bob.key).balance).toBe(77n)
    expect(benchmarkJob(paid.ledger).round).toBe(1)
    expect(compareChains(branch, paid)).toBeGreaterThan(0)
    expect(account(branch.ledger, bob.key).balance).toBe(0n)
    expect(benchmarkJob(branch.ledger).round).toBe(0)
    expect(ledgerRoot(tip.ledger)).toEqual(tip.header.template.stateRoot)
  })

  it('keeps contributions, seals and transactions good on the other branch', () => {
    const ann = keyPair(1)
    const job = benchmarkJob(tip.ledger)
    const lost = kit.mine(tip, { miner: keyPair(8) }).meta
    // Made on a block that lost; its randomness is older than the fork.
    const claim = kit.contribution(lost, job, ann)
    const branch = kit.extend(tip, 2, [keyPair(2)])
    const seal = kit.seal(branch, benchmarkJob(branch.ledger), [claim], { anchor: tip })
    const block = kit.mine(branch, { seals: [seal], transactions: [kit.transfer(lost, ann, keyPair(9).key, 5n)] })
    expect(benchmarkJob(block.meta.ledger).round).toBe(1)
    expect(account(block.meta.ledger, keyPair(9).key).balance).toBe(5n)
  })

  it('ends in the same ledger on every node that took the same blocks', () => {
    const a = kit.extend(tip, 4, [keyPair(1), keyPair(2)])
    const b = kit.extend(tip, 4, [keyPair(1), keyPair(2)])
    expect(a.hash).toEqual(b.hash)
    expect(ledgerRoot(a.ledger)).toEqual(ledgerRoot(b.ledger))
  })
})

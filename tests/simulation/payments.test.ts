import { expect, it } from 'vitest'
import { toHex } from '../../src/core/codec/ssz.ts'
import { ACTION_CANCEL_JOB, ACTION_TRANSFER } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { Payments } from './payments.ts'

const key = (n: number): Uint8Array => hash('test', Uint8Array.of(n))
const [mine, theirs, foreign] = [key(1), key(2), key(3)]
const block = (height: number, of: ReadonlyArray<{ readonly from: Uint8Array, readonly amount: bigint, readonly isOther?: boolean }>): BlockRecord => ({
  meta: { hash: key(10 + height), height },
  body: { transactions: of.map(({ amount, from, isOther }) => ({ transaction: { from, fee: 1n, action: isOther === true ? { selector: ACTION_CANCEL_JOB, value: { job: theirs } } : { selector: ACTION_TRANSFER, value: { to: theirs, amount } } } })), seals: [] }
}) as unknown as BlockRecord

it('are those that the owner asked for, each as often, on the chain that all follow', () => {
  const payments = new Payments()
  const blocks = [block(1, [{ from: mine, amount: 5n }, { from: foreign, amount: 9n }]), block(2, [{ from: mine, amount: 5n }, { from: mine, amount: 0n, isOther: true }])]
  // The second one was in a block that lost, too.
  payments.heard([...blocks, { ...blocks[1], meta: { ...blocks[1].meta, hash: key(99) } }])
  const chain = blocks.map(b => b.meta) as BlockMeta[]
  const asked = (n: number, amount = 5n): Parameters<Payments['unasked']>[1] => Array.from({ length: n }, () => ({ from: toHex(mine), to: toHex(theirs), amount, fee: 1n }))
  const unasked = (...given: Parameters<typeof asked>): number[] => payments.unasked(chain, asked(...given), new Set([toHex(mine)])).map(p => p.height)
  expect(unasked(2)).toEqual([])
  expect(unasked(3)).toEqual([])
  expect(unasked(1)).toEqual([2])
  expect(unasked(2, 6n)).toEqual([1, 2])
  // What was taken back with its block is not paid.
  expect(payments.unasked(chain.slice(0, 1), asked(1), new Set([toHex(mine)]))).toEqual([])
})

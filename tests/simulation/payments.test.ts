import { expect, it } from 'vitest'
import { ACTION_CANCEL_JOB, ACTION_POST_JOB, ACTION_SET_ASIDE, ACTION_TRANSFER, type Transaction } from '../../src/core/codec/wire.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { hash } from '../../src/core/crypto/hash.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { type Payment, paymentOf, Payments } from './payments.ts'

const key = (n: number): Uint8Array => hash('test', Uint8Array.of(n))
const [mine, theirs, foreign] = [key(1), key(2), key(3)]
type Action = Transaction['action']
const transfer = (amount: bigint): Action => ({ selector: ACTION_TRANSFER, value: { to: theirs, amount } })
const job = (n: number): Action => ({ selector: ACTION_POST_JOB, value: { spec: Uint8Array.of(n), escrow: 100n, pricePerContribution: 1n, burn: 1n, deadline: 9 } })
const cancellation: Action = { selector: ACTION_CANCEL_JOB, value: { job: theirs } }
const setAside: Action = { selector: ACTION_SET_ASIDE, value: { grains: 7n } }
const by = (from: Uint8Array, ...actions: Action[]): Transaction[] => actions.map(action => ({ chain: key(0), from, nonce: 0, fee: 1n, action }))
const block = (height: number, of: ReturnType<typeof by>): BlockRecord => ({
  meta: { hash: key(10 + height), height },
  body: { transactions: of.map(transaction => ({ transaction })), seals: [] }
}) as unknown as BlockRecord
const asked = (...actions: Action[]): Payment[] => by(mine, ...actions).map(t => paymentOf(t)!)
const wallets = new Set([toHex(mine)])

it('are those that the owner asked for, each as often, on the chain that all follow', () => {
  const payments = new Payments()
  const blocks = [block(1, [...by(mine, transfer(5n)), ...by(foreign, transfer(9n))]), block(2, by(mine, transfer(5n)))]
  // The second one was in a block that lost, too.
  payments.heard([...blocks, { ...blocks[1], meta: { ...blocks[1].meta, hash: key(99) } }])
  const chain = blocks.map(b => b.meta) as BlockMeta[]
  const unasked = (...given: Action[]): number[] => payments.unasked(chain, asked(...given), wallets).map(p => p.height)
  expect(unasked(transfer(5n), transfer(5n))).toEqual([])
  expect(unasked(transfer(5n), transfer(5n), transfer(5n))).toEqual([])
  expect(unasked(transfer(5n))).toEqual([2])
  expect(unasked(transfer(6n), transfer(6n))).toEqual([1, 2])
  // What was taken back with its block is not paid.
  expect(payments.unasked(chain.slice(0, 1), asked(transfer(5n)), wallets)).toEqual([])
})

it('are orders and cancellations, too; what is set aside for seeding the node decides', () => {
  const payments = new Payments()
  const blocks = [block(1, by(mine, job(1), setAside, cancellation)), block(2, by(mine, job(1), setAside, cancellation, job(2)))]
  payments.heard(blocks)
  const chain = blocks.map(b => b.meta) as BlockMeta[]
  const unasked = (...given: Action[]): Array<[number, string]> => payments.unasked(chain, asked(...given), wallets).map(p => [p.height, p.kind])
  expect(paymentOf(by(mine, setAside)[0])).toBeUndefined()
  expect(unasked(job(1), job(1), job(2), cancellation, cancellation)).toEqual([])
  expect(unasked(job(1), job(2), cancellation, cancellation)).toEqual([[2, 'job']])
  expect(unasked(job(1), job(1), cancellation)).toEqual([[2, 'cancellation'], [2, 'job']])
})

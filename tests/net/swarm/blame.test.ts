/** Whose fault a bad piece may be, where several sent blocks of it. */
import { expect, test } from 'vitest'
import { blamedFor } from '../../../src/net/swarm/item.ts'

const link = (peer?: string): { readonly peer?: string } => ({ peer })
const [bad, honest, other, plain] = [link('bad'), link('honest'), link('other'), link()]
const isSentAway = (peer: string): boolean => peer === 'bad'

test('who completes a piece that a peer sent away has begun is not blamed', () => {
  expect(blamedFor([bad, honest], isSentAway)).toEqual([])
  expect(blamedFor([plain, bad], isSentAway)).toEqual([])
})

test('the only one to have sent it is, and so is everybody while nobody has been sent away', () => {
  expect(blamedFor([bad], isSentAway)).toEqual([bad])
  expect(blamedFor([honest], isSentAway)).toEqual([honest])
  expect(blamedFor([honest, other, plain], isSentAway)).toEqual([honest, other, plain])
})

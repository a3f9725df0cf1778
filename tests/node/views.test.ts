import { expect, test } from 'vitest'
import type { BlockRecord } from '../../src/node/parts.ts'
import { peerHeights } from '../../src/node/views.ts'

test('a peer is as far as the newest block that came from it, or as it said last', () => {
  const block = (height: number, origin?: string): BlockRecord => ({ meta: { height }, origin }) as unknown as BlockRecord
  const heights = peerHeights(new Map([['a', { height: 5 }], ['b', { height: 9 }], ['c', { height: 2 }]]), [block(7, 'a'), block(8, 'b'), block(9), block(10, 'd')])
  expect(Object.fromEntries(heights)).toEqual({ a: 7, b: 9, c: 2, d: 10 })
})

import { expect, test } from 'vitest'
import type { NodeView } from '../../src/bridge/api.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { atRest, peerHeights } from '../../src/node/views.ts'

test('a peer is as far as the newest block that came from it, or as it said last', () => {
  const block = (height: number, origin?: string): BlockRecord => ({ meta: { height }, origin }) as unknown as BlockRecord
  const heights = peerHeights(new Map([['a', { height: 5 }], ['b', { height: 9 }], ['c', { height: 2 }]]), [block(7, 'a'), block(8, 'b'), block(9), block(10, 'd')])
  expect(Object.fromEntries(heights)).toEqual({ a: 7, b: 9, c: 2, d: 10 })
})

test('a node that has stopped shows nobody that it is linked to and nothing that it works on', () => {
  const running = {
    peers: [{ id: 'a' }], net: { peers: [{ id: 'a' }], relays: [{ address: 'r', connected: true }], bytesIn: 7 },
    compute: { busy: 2, stepsPerSecond: 9, macsPerSecond: 9, workers: 2 }, mining: { state: 'working', detail: 'round 3', job: 'j', round: 3, slicesPerSecond: 4, slices: 12 }, networkSamplesPerSecond: 5, committee: { member: true, size: 3 }
  } as unknown as NodeView
  expect(atRest(running)).toMatchObject({
    peers: [], net: { peers: [], relays: [{ address: 'r', connected: false }], bytesIn: 7 },
    compute: { busy: 0, stepsPerSecond: 0, macsPerSecond: 0, workers: 2 }, mining: { state: 'off', detail: '', job: undefined, round: undefined, slicesPerSecond: 0, slices: 12 }, networkSamplesPerSecond: 0, committee: { member: false, size: 3 }
  })
})

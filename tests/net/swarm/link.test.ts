/** A link's watch over a long life: what an honest peer leaves behind in it is no offence. */
import { expect, test } from 'vitest'
import { UNASKED_BYTES_MAX } from '../../../src/net/swarm/bounds.ts'
import { Link } from '../../../src/net/swarm/link.ts'
import type { Offence } from '../../../src/ports/swarm.ts'
import { FakeWire } from './wire.ts'

const BLOCK = 16 * 1024

test('blocks that were given up and came all the same are no offence in one of many that were wanted', () => {
  const offences: Offence[] = []
  const wire = new FakeWire()
  const link = new Link({
    id: 1, infoHash: 'ab'.repeat(20), peer: 'they', via: 'mesh', wire: wire.wire, now: () => 0, pieces: () => 1, during: hear => { hear() },
    events: { message: () => {}, offence: (_l, offence) => { offences.push(offence) }, closed: () => {} }
  })
  // One block of 32 is one that was asked of another in the meantime.
  while (wire.downloaded < 64 * UNASKED_BYTES_MAX) {
    for (let i = 0; i < 31; i++) wire.request(0, 0, BLOCK, () => {})
    wire.downloaded += BLOCK
    link.watch(false)
  }
  expect(offences).toEqual([])
  wire.downloaded += 20 * UNASKED_BYTES_MAX
  link.watch(false)
  expect(offences).toEqual(['unasked-bytes'])
})

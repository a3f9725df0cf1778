import { expect, it } from 'vitest'
import { BodiesResponse, Body } from '../../src/core/codec/wire.ts'
import { MAX_BODIES_PER_REQUEST } from '../../src/core/params.ts'
import { BodyFetcher } from '../../src/node/bodyFetcher.ts'
import { ManualClock, settle } from './chainRig.ts'
import { branch, kit } from './syncRig.ts'

const blocks = branch(kit, kit.genesis, MAX_BODIES_PER_REQUEST + 2)

/** Two peers, each asked for a part of the bodies; an answer is what the test says. */
function fetcher (peers = ['silent', 'good']) {
  const asked: string[] = []
  const answer: Array<(bytes: Uint8Array) => void> = []
  const network = {
    request: async (peer: string): Promise<Uint8Array> => {
      asked.push(peer)
      return await new Promise(resolve => { answer.push(resolve) })
    }
  }
  const blame = { refuse: () => { throw new Error('nobody is to blame') } }
  return { asked, answer, bodies: new BodyFetcher(network, new ManualClock(0), blame, blocks.map(b => b.meta), () => peers) }
}

const bytesOf = (part: typeof blocks): Uint8Array => BodiesResponse.serialize({ bodies: part.map(b => Body.serialize(b.block.body)) })

it('hands out the bodies in order, whoever answers first', async () => {
  const { answer, asked, bodies } = fetcher()
  const first = bodies.next(blocks[0].meta)
  expect(asked).toEqual(['silent', 'good'])
  answer[1](bytesOf(blocks.slice(MAX_BODIES_PER_REQUEST)))
  answer[0](bytesOf(blocks.slice(0, MAX_BODIES_PER_REQUEST)))
  expect(await first).toMatchObject({ body: blocks[0].block.body, from: 'silent' })
  for (const [i, b] of blocks.entries()) if (i > 0) expect((await bodies.next(b.meta))?.body).toEqual(b.block.body)
  expect(asked).toHaveLength(2)
})

// Seed n31-696: while one peer was silent, the other was asked for the same bodies for ever, and banned who asked.
it('once stopped it asks nobody any more, though somebody waits and one of those asked is silent', async () => {
  const { answer, asked, bodies } = fetcher()
  const first = bodies.next(blocks[0].meta)
  bodies.stop()
  answer[1](bytesOf(blocks.slice(MAX_BODIES_PER_REQUEST)))
  await settle()
  expect(asked).toEqual(['silent', 'good'])
  expect(await first).toBeUndefined()
  expect(await bodies.next(blocks[1].meta)).toBeUndefined()
  expect(asked).toHaveLength(2)
})

it('asks whoever shows the chain for what it waits for, too, where another is silent; what comes late is not kept', async () => {
  const { answer, asked, bodies } = fetcher(['shows', 'silent'])
  const first = bodies.next(blocks[0].meta)
  expect(asked).toEqual(['shows', 'silent'])
  answer[0](bytesOf(blocks.slice(0, MAX_BODIES_PER_REQUEST)))
  expect(await first).toMatchObject({ from: 'shows' })
  for (const b of blocks.slice(1, MAX_BODIES_PER_REQUEST)) expect(await bodies.next(b.meta)).toMatchObject({ from: 'shows' })
  const [late, last] = blocks.slice(MAX_BODIES_PER_REQUEST)
  const next = bodies.next(late.meta)
  await settle()
  expect(asked).toEqual(['shows', 'silent', 'shows'])
  answer[2](bytesOf([late]))
  expect(await next).toMatchObject({ from: 'shows' })
  answer[1](bytesOf([late, last]))
  expect(await bodies.next(last.meta)).toMatchObject({ from: 'silent' })
  // Of the first one nobody waits any more: whoever asked for it again would wait for ever.
  expect(await Promise.race([bodies.next(late.meta), settle().then(() => 'nothing')])).toBe('nothing')
})

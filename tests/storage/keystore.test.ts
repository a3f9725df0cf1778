/** The keystores of tabs of one profile: what one does, the others know. */
import { expect, test } from 'vitest'
import { SEED_BYTES } from '../../src/core/crypto/keys.ts'
import type { SiblingNews } from '../../src/ports/siblings.ts'
import { createKeystore } from '../../src/storage/keystore.ts'
import { MemoryFamily, MemorySiblings } from '../../src/storage/memorySiblings.ts'
import type { Wallet } from '../../src/storage/wallet.ts'

const PASSPHRASE = 'correct horse battery'
const random = { bytes: (n: number) => new Uint8Array(n).fill(3) }

function profile (): { readonly open: () => ReturnType<typeof createKeystore>, readonly news: SiblingNews[] } {
  const disk: { seed: Uint8Array, backedUp: boolean } = { seed: new Uint8Array(SEED_BYTES).fill(1), backedUp: false }
  const family = new MemoryFamily()
  const news: SiblingNews[] = []
  new MemorySiblings(family).onNews(n => { news.push(n) })
  const wallet = (): Wallet => ({
    ...disk, restored: false, copied: true,
    setBackedUp: async () => { disk.backedUp = true },
    replace: async seed => { disk.seed = seed },
    replaced: async () => false
  })
  return { open: () => createKeystore(wallet(), random, new MemorySiblings(family)), news }
}

test('a backup that was saved in one tab counts in those that are open', async () => {
  const { open, news } = profile()
  const [one, two] = [open(), open()]
  await one.saved()
  expect([one.backedUp, two.backedUp]).toEqual([true, true])
  expect(news).toEqual([{ kind: 'backed-up' }])
})

test('the others are told that the key was replaced once it was, and of no import that failed', async () => {
  const { open, news } = profile()
  const keystore = open()
  const exported = await keystore.export(PASSPHRASE)
  if (!exported.ok) throw new Error(exported.message)
  await keystore.import(exported.text, 'another passphrase')
  expect(news).toEqual([])
  await keystore.import(exported.text, PASSPHRASE)
  expect(news).toEqual([{ kind: 'replaced' }])
})

/**
 * A fresh tab joins a chain of some hundred blocks by the ledger of a recent one: fetched as a torrent
 * from a tab that holds the chain, checked by its header, on a disk and in memory alone.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TEST } from '../../src/core/params.ts'
import { MemoryDisk } from '../../src/storage/memory.ts'
import { makeLongChain, packDisk } from '../bench/longChain.ts'
import { Stage, Tab, until } from './harness.ts'
import { tabWithChain } from './longChainTab.ts'

const BLOCKS = 280
/** Newest multiple of 32 that is 48 blocks or more below the head. */
const HEIGHT = 224
/** A joiner redoes 24, and then those down to the ledger. */
const WORKED = BLOCKS - HEIGHT

let stage: Stage | undefined
let folder = ''

beforeAll(async () => {
  stage = await Stage.open()
  folder = await mkdtemp(join(tmpdir(), 'commonweight-join-'))
})
afterAll(async () => {
  await stage?.close()
  await rm(folder, { recursive: true, force: true })
})

test('by a ledger that its header names, and says what it has checked and what not', async () => {
  const disk = new MemoryDisk(undefined, true)
  await makeLongChain({ params: TEST, blocks: BLOCKS, transfersPerBlock: 3, worked: WORKED, nowMs: Date.now() - 60_000 }, disk, () => {})
  const file = join(folder, 'chain.disk')
  await writeFile(file, await packDisk(disk))
  const old = await tabWithChain(stage!, 'old', file)
  await old.until('it is at the head', 30_000, v => v.height === BLOCKS)
  await until('it shares its ledger', 30_000, async () => await old.page.evaluate(async () => (await window.commonweight!.library()).items.some(i => i.note?.kind === 'snapshot' && i.state === 'complete')))

  const fresh = await stage!.tab('fresh')
  const bare = new Tab('bare', await stage!.page('bare'))
  await bare.page.addInitScript(() => { Object.defineProperty(StorageManager.prototype, 'getDirectory', { value: undefined }) })
  await bare.goto(stage!.url)
  for (const tab of [fresh, bare]) {
    const view = await tab.until('it has joined', 60_000, v => v.phase.phase === 'ready' && v.height === BLOCKS && v)
    expect(view.joined).toMatchObject({ headers: BLOCKS, height: HEIGHT })
    expect(view.joined!.replayed).toBeGreaterThanOrEqual(TEST.joinReplayBlocks)
    expect(view.head).toBe((await old.view()).head)
    expect(view.refusals).toEqual([])
  }
  const library = await bare.page.evaluate(async () => await window.commonweight!.library())
  expect(library.store).toBe('memory')
  await fresh.show('blocks')
  await fresh.element('joined').waitFor()
  expect(await fresh.element('joined').innerText()).toMatch(/280 headers.*ledger of block 224.*Not fetched/s)
  // It may work at once, and its reload goes on from where it was.
  await fresh.mine(true)
  await fresh.until('it mines on', 60_000, v => v.height > BLOCKS)
  await fresh.mine(false)
  await fresh.reload()
  const again = await fresh.until('it is back', 30_000, v => v.height > BLOCKS && v)
  expect(again.joined).toMatchObject({ height: HEIGHT })
})

/** A tab whose wallet was replaced, by itself or another tab, stops and says why. */
import { expect, test } from 'vitest'
import type { JobDraft, NodePhase, NodeView } from '../../src/bridge/api.ts'
import { formatAddress } from '../../src/core/codec/address.ts'
import { toHex } from '../../src/core/codec/ssz.ts'
import { hash, u32le } from '../../src/core/crypto/hash.ts'
import { createMemoryHub } from '../../src/net/memory.ts'
import { MemorySwarmHub } from '../../src/net/swarm/memory.ts'
import { NodeService } from '../../src/node/api.ts'
import { RingLog } from '../../src/node/log.ts'
import { Node, type NodeDeps } from '../../src/node/node.ts'
import type { ChainEvents } from '../../src/node/parts.ts'
import { WalletWatch, WATCH_MS } from '../../src/node/walletWatch.ts'
import type { ComputeStatus } from '../../src/ports/compute.ts'
import { StorageError } from '../../src/ports/storage.ts'
import { MemoryDisk, MemoryStorage } from '../../src/storage/memory.ts'
import { MemoryPurse } from '../../src/storage/memoryPurse.ts'
import { MemoryFamily, MemorySiblings } from '../../src/storage/memorySiblings.ts'
import { ChainKit, keyPair } from '../core/chainKit.ts'
import { kitTime, ManualClock, settle, TestSignatures } from './chainRig.ts'
import { SeededRandom, TestCompute } from './workRig.ts'

const kit = new ChainKit()

test('the wallet is looked at with new blocks, not with every one of many, and a failure to read it is no replacement', async () => {
  const clock = new ManualClock(1)
  const log = new RingLog(clock)
  let onHead = (): void => {}
  let [looks, replaced, broken, told] = [0, false, false, 0]
  const watch = new WalletWatch({
    clock, log, siblings: new MemorySiblings(),
    chain: { on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]) => { onHead = l as unknown as () => void; return () => {} } },
    keystore: { replaced: async () => { looks++; if (broken) throw new StorageError('gone', 'it was closed'); return replaced } }
  })
  watch.onLost(() => { told++ })
  watch.start()
  const head = async (): Promise<void> => { onHead(); await settle() }
  await head()
  await head()
  expect([looks, told]).toEqual([1, 0])
  broken = true
  await clock.advance(WATCH_MS)
  await head()
  expect([looks, told, log.entries(9).filter(e => e.level === 'warn').length]).toEqual([2, 0, 1])
  broken = false
  replaced = true
  for (let i = 0; i < 2; i++) {
    await clock.advance(WATCH_MS)
    await head()
  }
  expect([looks, told]).toEqual([3, 1])
})

test('it is looked at at once when another tab says that it was replaced, and what stands on the disk decides', async () => {
  const clock = new ManualClock(1)
  const family = new MemoryFamily()
  let [replaced, told] = [false, 0]
  const watch = new WalletWatch({
    clock, log: new RingLog(clock), siblings: new MemorySiblings(family),
    chain: { on: () => () => {} },
    keystore: { replaced: async () => replaced }
  })
  watch.onLost(() => { told++ })
  watch.start()
  const other = new MemorySiblings(family)
  other.tell({ kind: 'replaced' })
  await settle()
  expect([told, watch.replaced()]).toEqual([0, false])
  replaced = true
  for (let i = 0; i < 2; i++) other.tell({ kind: 'replaced' })
  await settle()
  expect([told, watch.replaced()]).toEqual([1, true])
})

test('that all was erased is believed without the disk, which is empty or has the key of whoever began anew', async () => {
  const clock = new ManualClock(kitTime(kit, 100))
  const family = new MemoryFamily()
  let replaced = false
  const node = await nodeOf(clock, async () => replaced, new MemorySiblings(family))
  const service = new NodeService(node)
  const views: NodeView[] = []
  await service.listen(e => { if (e.type === 'view') views.push(e.view) })
  new MemorySiblings(family).tell({ kind: 'erased' })
  await settle()
  expect(views.at(-1)).toMatchObject({ phase: { phase: 'stopped', detail: 'everything of this site was erased in another tab' }, wallet: { replaced: true } })
  replaced = true
  await node.walletWatch.look()
  await settle()
  expect((await service.view()).phase).toMatchObject({ detail: 'everything of this site was erased in another tab' })
})

test('a clock that is set back keeps nobody from looking', async () => {
  let [now, looks] = [1e12, 0]
  let onHead = (): void => {}
  const clock = { now: () => now }
  const watch = new WalletWatch({
    clock, log: new RingLog(clock), siblings: new MemorySiblings(),
    chain: { on: <K extends keyof ChainEvents>(_: K, l: ChainEvents[K]) => { onHead = l as unknown as () => void; return () => {} } },
    keystore: { replaced: async () => { looks++; return false } }
  })
  watch.start()
  onHead()
  now -= 3_600_000
  onHead()
  onHead()
  await settle()
  expect(looks).toBe(2)
})

class Device extends TestCompute {
  override async status (): Promise<ComputeStatus> {
    return { backend: 'reference', workers: 1, workersMax: 1, busy: 0, stepsPerSecond: 0, macsPerSecond: 0, selfTest: 'passed', choice: 'auto', reports: [] }
  }
}

const nodeOf = async (clock: ManualClock, replaced: () => Promise<boolean>, siblings = new MemorySiblings(), over: Partial<NodeDeps> = {}): Promise<Node> => await Node.start({
  network: createMemoryHub({ clock }).join('me'), swarm: new MemorySwarmHub({ clock }).join('me'), networkName: 'test', storage: new MemoryStorage(new MemoryDisk()), compute: new Device(clock), signatures: new TestSignatures(), clock, random: new SeededRandom(1),
  keystore: { backedUp: true, export: async () => ({ ok: false, message: 'none' }), saved: async () => {}, replaced, inspect: () => ({ ok: false, message: 'none' }), import: async () => ({ ok: false, field: 'backup', message: 'none' }) },
  purse: new MemoryPurse(), siblings, minerSeed: hash('test-key', u32le(1)), walletSeed: hash('test-key', u32le(2)), slot: 0, cores: 1, gunzip: async b => b, params: kit.params, genesis: kit.genesis, ...over
})

test('the node stops, and its page is told to reload because the wallet was replaced', async () => {
  const clock = new ManualClock(kitTime(kit, 100))
  let replaced = false
  const node = await nodeOf(clock, async () => replaced)
  const service = new NodeService(node)
  const phases: NodePhase[] = []
  await service.listen(e => { if (e.type === 'view') phases.push(e.view.phase) })
  const grow = async (): Promise<void> => {
    expect(await node.chain.submitOwn(kit.block(node.chain.head()))).toMatchObject({ status: 'added' })
    await settle()
  }
  await grow()
  expect(phases.some(p => p.phase === 'stopped')).toBe(false)
  replaced = true
  await clock.advance(WATCH_MS)
  await grow()
  expect(phases.at(-1)).toEqual({ phase: 'stopped', detail: 'the wallet of this browser was replaced by another one' })
  expect(node.presence.mayWork()).toBe('the node was stopped')
  expect((await service.view()).wallet.replaced).toBe(true)
  const refused = { ok: false, errors: [{ field: 'form', message: 'this tab has stopped: reload the page' }] }
  const job = toHex(kit.genesis.ledger.jobs[0].id)
  const told = [await service.send(formatAddress(keyPair(8).key), 10n, kit.params.minFee), await service.sendAgain('00'), await service.postJob({} as JobDraft), await service.cancelJob(job)]
  expect(told).toEqual([refused, refused, refused, refused])
})

test('an import stops the tab that it was made in at once, and what is saved of the old key afterwards counts there', async () => {
  let [replaced, backedUp] = [false, false]
  const keystore: NodeDeps['keystore'] = {
    get backedUp () { return backedUp },
    export: async () => ({ ok: false, message: 'none' }), saved: async () => { backedUp = true }, replaced: async () => replaced,
    inspect: () => ({ ok: false, message: 'none' }),
    import: async () => { replaced = true; return { ok: true, key: keyPair(5).key } }
  }
  const family = new MemoryFamily()
  const service = new NodeService(await nodeOf(new ManualClock(kitTime(kit, 100)), async () => replaced, new MemorySiblings(family), { keystore }))
  const views: NodeView[] = []
  await service.listen(e => { if (e.type === 'view') views.push(e.view) })
  await service.importKey('a backup', 'its passphrase')
  await settle()
  expect(views.at(-1)).toMatchObject({ phase: { phase: 'stopped' }, wallet: { replaced: true, backedUp: false } })
  await service.backupSaved()
  await settle()
  expect(views.at(-1)).toMatchObject({ phase: { phase: 'stopped' }, wallet: { replaced: true, backedUp: true } })
  // So does what another tab says that has stopped like this one.
  const shown = views.length
  new MemorySiblings(family).tell({ kind: 'backed-up' })
  await settle()
  expect(views.length).toBe(shown + 1)
})

test('nothing is signed with a key that was replaced a moment ago', async () => {
  const clock = new ManualClock(kitTime(kit, 100))
  let replaced: () => boolean = () => true
  const service = new NodeService(await nodeOf(clock, async () => replaced()))
  const send = async (): Promise<unknown> => await service.send(formatAddress(keyPair(8).key), 10n, kit.params.minFee)
  expect(await send()).toMatchObject({ ok: false, errors: [{ field: 'form' }] })
  // Where that cannot be read, the purse is asked, as before.
  replaced = () => { throw new StorageError('gone', 'it was closed') }
  expect(await send()).toMatchObject({ ok: false, errors: [{ field: 'amount' }] })
})

test('a key without its second copy is warned of in the log', async () => {
  for (const walletUncopied of [false, true]) {
    const node = await nodeOf(new ManualClock(kitTime(kit, 100)), async () => false, new MemorySiblings(), { walletUncopied })
    expect(node.log.entries(50).filter(e => e.level === 'warn' && e.text.includes('second copy of the key cannot be written'))).toHaveLength(walletUncopied ? 1 : 0)
    await node.stop()
  }
})

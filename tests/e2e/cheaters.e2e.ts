/**
 * A tab that cheats, among real tabs: it joins their mesh under a new name for each attack, copies
 * their chain and breaks one rule. Every honest tab must name the rule and send the peer away, and
 * the chain must go on as if nothing had been said.
 */
import type { Page } from '@playwright/test'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { NodeView } from '../../src/bridge/api.ts'
import { serveTestPage, type TestPage } from '../../src/cli/builtPage.ts'
import { VERSION_WORDS } from '../../src/node/versions.ts'
import type { Attack } from './attacker/main.ts'
import { agree, Stage, type Tab, until } from './harness.ts'
import { recordFailures } from './recordFailures.ts'

let stage: Stage | undefined
let served: TestPage | undefined
let bootstraps: string[] = []
let attacker: Page

recordFailures(() => stage)

beforeAll(async () => { served = await serveTestPage('tests/e2e/attacker') })
afterAll(async () => { await served?.stop() })

async function openStage (): Promise<void> {
  stage = await Stage.open()
  bootstraps = (await (await fetch(`${stage.server.url}bootstrap.json`)).json() as { bootstraps: string[] }).bootstraps
  attacker = await stage.page('attacker')
  attacker.on('pageerror', e => { process.stderr.write(`  attacker: ${e.message}\n`) })
  await attacker.goto(served!.url)
  await attacker.waitForFunction(() => window.attacker !== undefined)
}

async function closeStage (): Promise<void> {
  await stage?.close()
  stage = undefined
}

/** Under a new name, in reach of all of them. */
async function join (tabs: readonly Tab[]): Promise<string> {
  const selves = await Promise.all(tabs.map(async t => (await t.view()).self))
  return await attacker.evaluate(async ([at, to]) => await window.attacker!.join(at, to), [bootstraps, selves] as const)
}

const attack = async (name: Attack, at?: readonly string[]): Promise<string | undefined> => await attacker.evaluate(async ([n, to]) => await window.attacker!.attack(n, to), [name, at] as const)
const isBanned = (v: NodeView, id: string): boolean => v.net.banned.some(b => b.id === id) && v.peers.every(p => p.id !== id)
const knows = async (tab: Tab, hash: string): Promise<boolean> => await tab.page.evaluate(async h => await window.commonweight!.block(h) !== undefined, hash)

/** What only the redoing of a block shows. A tab redoes a block that would lead, so one that an honest block outdid is followed by another. */
const REDONE: ReadonlySet<string> = new Set(['result-hash', 'payload-digest'])
const AGAIN_MS = 8000

/** Hashes of the blocks sent, until each tab has refused one. */
async function attackUntilRefused (tabs: readonly Tab[], id: string, name: Attack, reason: string): Promise<string[]> {
  const hashes: string[] = []
  let last = -Infinity
  await until(`a refusal for ${reason} by every tab`, 60_000, async () => {
    const views = await Promise.all(tabs.map(async t => await t.view()))
    const left = views.filter(v => !v.refusals.some(r => r.peer === id)).map(v => v.self)
    if (left.length === 0) return true
    if (last === -Infinity || (REDONE.has(reason) && Date.now() - last >= AGAIN_MS)) {
      // Who is refused while it sends another reaches nobody.
      const hash = await attack(name, left).catch((e: unknown) => { if (hashes.length === 0) throw e })
      last = Date.now()
      if (hash !== undefined) hashes.push(hash)
    }
    return false
  }, async () => `${hashes.length} blocks sent\n${(await Promise.all(tabs.map(async t => t.summary(await t.view())))).join('\n')}`)
  return hashes
}

async function expectSentAway (tabs: readonly Tab[], id: string): Promise<void> {
  for (const t of tabs) await t.until('the attacker sent away', 30_000, v => isBanned(v, id))
  await until('the attacker to have no peers', 60_000, async () => (await attacker.evaluate(() => window.attacker!.links())).length === 0)
}

describe('a tab that cheats', () => {
  let a: Tab
  let b: Tab
  let tabs: readonly Tab[] = []
  /** Held at first, named once its parent has not come for a minute. */
  let orphan: { readonly id: string, readonly hash: string }

  beforeAll(async () => {
    await openStage()
    a = await stage!.tab('a')
    b = await stage!.tab('b')
    tabs = [a, b]
    for (const t of tabs) await t.page.evaluate(async () => { await window.commonweight!.setLogLevel('debug') })
    await Promise.all(tabs.map(async t => { await t.mine(true) }))
    // Seals have begun, and there are credits that an attacker can be given.
    const payer = await until('a tab that can pay', 120_000, async () => {
      for (const t of tabs) if ((await t.view()).wallet.balance > 5_000_000n) return t
      return undefined
    })
    await a.until('a sealed round', 60_000, v => v.jobs.some(j => j.round > 0))
    const address = await attacker.evaluate(() => window.attacker!.address)
    const sent = await payer.page.evaluate(async to => await window.commonweight!.send(to, 2_000_000n, 1_000n), address)
    if (!sent.ok) throw new Error(JSON.stringify(sent.errors))
    await join(tabs)
    await until('the attacker to hold two credits', 60_000, async () => {
      await attacker.evaluate(async () => await window.attacker!.follow())
      return await attacker.evaluate(() => window.attacker!.balance()) > 0n
    })
  })
  afterAll(closeStage)

  test('a block on a parent that nobody knows is held, at nobody\'s cost', async () => {
    const id = await join(tabs)
    const { height } = await a.view()
    const hash = await attack('unknownParent')
    orphan = { id, hash: hash! }
    await agree(tabs, 60_000, height)
    for (const t of tabs) {
      expect(await knows(t, orphan.hash)).toBe(false)
      expect(isBanned(await t.view(), id)).toBe(false)
    }
  })

  const CAUGHT: ReadonlyArray<readonly [string, Attack, string]> = [
    ['a wrong final state', 'wrongState', 'result-hash'],
    ['a wrong payload', 'wrongPayload', 'payload-digest'],
    ['a ticket from another key', 'ticketOfAnother', 'header-ticket'],
    ['a block in another\'s name', 'forgedName', 'header-signature'],
    ['a forged signature', 'forgedSignature', 'header-signature'],
    ['a non-canonical signature', 'nonCanonicalSignature', 'header-signature'],
    ['a ticket reused', 'reusedTicket', 'result-hash'],
    ['a stale parent', 'staleParent', 'header-height'],
    ['a slice on a state that was never sealed', 'neverSealedState', 'header-job-state'],
    ['a seal without quorum, in a block', 'sealWithoutQuorum', 'seal-quorum'],
    ['a seal without quorum, by itself', 'gossipedSealWithoutQuorum', 'seal-quorum'],
    ['an overspend', 'overspend', 'transaction-balance'],
    ['a double spend', 'doubleSpend', 'transaction-nonce-reused'],
    ['a minted coin', 'mintedCoin', 'state-root'],
    ['a truncated message', 'truncatedMessage', 'malformed'],
    ['garbage', 'garbage', 'malformed'],
    ['a flood', 'flood', 'too-many']
  ]

  test.each(CAUGHT)('%s is refused by name by every tab, and its sender loses them', async (_what, name, reason) => {
    const id = await join(tabs)
    const hashes = await attackUntilRefused(tabs, id, name, reason)
    for (const t of tabs) {
      const refused = (await t.view()).refusals.find(r => r.peer === id)
      expect(refused?.reason).toBe(reason)
      expect(refused?.detail).not.toBe('')
    }
    await expectSentAway(tabs, id)
    for (const t of tabs) for (const hash of hashes) expect(await knows(t, hash), `${t.name} took the block`).toBe(false)
  })

  test.each(['oversizedMessages', 'oversizedRequest'] as const)('%s cost the sender his peers', async name => {
    const id = await join(tabs)
    await attack(name)
    await expectSentAway(tabs, id)
  })

  test('after all of them the chain goes on, and nobody else was sent away', async () => {
    const [{ height }] = await agree(tabs, 60_000)
    await agree(tabs, 60_000, height)
    for (const t of tabs) expect((await t.view()).peers.map(p => p.id)).toEqual(expect.arrayContaining(await Promise.all(tabs.filter(x => x !== t).map(async x => (await x.view()).self))))
  })

  test('a block whose body is withheld is neither taken nor called wrong', async () => {
    const id = await join(tabs)
    const { height } = await a.view()
    const hash = await attack('withheldBody')
    await agree(tabs, 60_000, height + 1)
    for (const t of tabs) {
      expect(await knows(t, hash!)).toBe(false)
      const v = await t.view()
      expect(v.refusals.filter(r => r.peer === id)).toEqual([])
      expect(isBanned(v, id)).toBe(false)
    }
  })

  test('a block on a parent that never came is named by then, and was never taken', async () => {
    for (const t of tabs) {
      const refused = await t.until('the orphan named', 90_000, v => v.refusals.find(r => r.peer === orphan.id))
      expect(refused.reason).toBe('header-parent')
      expect(await knows(t, orphan.hash)).toBe(false)
    }
  })

  test('messages of a newer version are ignored, and the tabs say that there is one when several peers do', async () => {
    const { height } = await a.view()
    const ids: string[] = []
    while (ids.length < VERSION_WORDS) {
      for (const t of tabs) expect((await t.view()).phase.phase).not.toBe('newer-version')
      ids.push(await join(tabs))
      await attack('newerVersion')
    }
    for (const t of tabs) {
      const v = await t.until('the notice', 30_000, x => x.phase.phase === 'newer-version' ? x : undefined)
      expect(v.phase).toEqual({ phase: 'newer-version', version: 2 })
      // The page draws what the node says a moment later.
      await until('the notice on the page', 30_000, async () => await t.element('phase').getAttribute('data-phase') === 'newer-version')
    }
    await agree(tabs, 60_000, height + 1)
    for (const t of tabs) for (const id of ids) expect(isBanned(await t.view(), id)).toBe(false)
  })
})

describe('a committee that colludes', () => {
  const BLOCKS = 6
  let d: Tab
  let e: Tab
  let tabs: readonly Tab[] = []

  beforeAll(async () => {
    await openStage()
    d = await stage!.tab('d')
    e = await stage!.tab('e')
    tabs = [d, e]
    await join(tabs)
    // Nobody else mines: every seat of the committee is the attacker's.
    await attacker.evaluate(async n => { await window.attacker!.serveCommittee(); await window.attacker!.committee.mineAlone(n) }, BLOCKS)
    for (const t of tabs) await t.until('the attacker\'s blocks, which are right so far', 90_000, v => v.height === BLOCKS)
  })
  afterAll(closeStage)

  test('two seals for one round are named, with who signed both', async () => {
    await attacker.evaluate(async () => { await window.attacker!.committee.publishTwoSeals() })
    for (const t of tabs) {
      const refused = await t.until('the conflict', 60_000, v => v.refusals.find(r => r.reason === 'two seals for one round'))
      expect(refused.detail).toContain('signed by both')
      expect((await t.view()).height).toBe(BLOCKS)
    }
  })

  test('a withheld payload makes a block unavailable, not valid and not invalid', async () => {
    for (const t of tabs) await t.page.evaluate(async () => { await window.commonweight!.setLogLevel('debug') })
    const hash = await attacker.evaluate(async () => await window.attacker!.committee.publishWithheld())
    for (const t of tabs) {
      await until(`${t.name} to hold the block back`, 60_000, async () => await t.page.evaluate(async name => (await window.commonweight!.logs(500)).some(l => l.text.includes(`${name} held: seal-state-unavailable`)), hash.slice(0, 8)))
      expect(await knows(t, hash)).toBe(false)
      expect((await t.view()).refusals.filter(r => r.what.startsWith('block'))).toEqual([])
    }
    await attacker.evaluate(() => { window.attacker!.committee.release() })
    for (const t of tabs) await t.until('the block, once its payload can be had', 90_000, v => v.height === BLOCKS + 1 && v.head === hash)
  })

  test('a seal whose next state is wrong is refused by name', async () => {
    await join(tabs)
    await attacker.evaluate(async () => { await window.attacker!.serveCommittee() })
    const hash = await attacker.evaluate(async () => await window.attacker!.committee.publishWrongNextState())
    for (const t of tabs) {
      const refused = await t.until('the refusal', 60_000, v => v.refusals.find(r => r.what.includes(hash.slice(0, 8))))
      expect(refused.reason).toBe('seal-state-hash')
      // Its miner has a record: it travels before it is redone, so he answers with his key, and no peer for having passed it on.
      expect(refused.peer).toBeUndefined()
      expect(await knows(t, hash)).toBe(false)
    }
  })

  test('wrong payloads that it sealed are challenged, and the block is dropped', async () => {
    await join(tabs)
    await attacker.evaluate(async () => { await window.attacker!.serveCommittee() })
    const hash = await attacker.evaluate(async () => await window.attacker!.committee.publishWrongContributions(8))
    for (const t of tabs) {
      const refused = await t.until('the wrong slice', 120_000, v => v.refusals.find(r => r.reason === 'wrong slice'))
      expect(refused.detail).toMatch(/claims the (result|payload)/)
      const v = await t.until('the block dropped', 60_000, x => x.height === BLOCKS + 1 ? x : undefined)
      expect(v.refusals.some(r => r.reason === 'signed a wrong slice')).toBe(true)
      expect(v.replayFailures).toBeGreaterThan(0)
      expect(await knows(t, hash)).toBe(false)
    }
  })

  test('the honest tabs go on without it', async () => {
    await Promise.all(tabs.map(async t => { await t.mine(true) }))
    await agree(tabs, 120_000, BLOCKS + 3)
    await d.until('a sealed round', 120_000, v => v.jobs.some(j => j.benchmark && j.round >= 2))
  })
})

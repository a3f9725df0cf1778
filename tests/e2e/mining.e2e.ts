/**
 * Three tabs train one model together and live on its chain: they mine, seal, pay, post a job of
 * their own data, reload, lose the relay and take in a latecomer. Each test goes on where the one
 * before it ended.
 */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HistoryEntry, JobView, NodeView } from '../../src/bridge/api.ts'
import { formatAmount } from '../../src/core/codec/amount.ts'
import { agree, FOREIGN_HOST, Stage, type Tab, until } from './harness.ts'
import { recordFailures } from './recordFailures.ts'

const CREDIT = 1_000_000n
const PASSPHRASE = 'a long enough passphrase'
const JOB = {
  name: 'Flowers',
  model_type: 'mlp',
  architecture: { input_size: 4, hidden_sizes: [128, 64], output_size: 3 },
  optimizer: { type: 'adam', learning_rate: 0.002 },
  stopping_criterion: { type: 'max_epochs', max_epochs: 1000 },
  metrics: ['accuracy', 'loss'],
  dataset_info: { batch_size: 32 }
}

let stage: Stage | undefined
const tabs: Tab[] = []
let a: Tab
let b: Tab
let c: Tab
let jobId = ''

const benchmark = (v: NodeView): JobView => v.jobs.find(j => j.benchmark)!
const jobOf = (v: NodeView): JobView | undefined => v.jobs.find(j => j.id === jobId)
const webrtc = (v: NodeView): number => v.peers.filter(p => p.link === 'webrtc').length
const history = async (tab: Tab): Promise<HistoryEntry[]> => await tab.page.evaluate(async () => await window.commonweight!.history(500))
const accuracy = async (tab: Tab): Promise<number> => await tab.page.evaluate(async () => {
  const v = await window.commonweight!.view()
  const r = await window.commonweight!.evaluate(v.jobs.find(j => j.benchmark)!.id)
  if (!r.ok) throw new Error(JSON.stringify(r.errors))
  return r.value.correct / r.value.count
})

recordFailures(() => stage)

beforeAll(async () => {
  stage = await Stage.open()
  a = await stage.tab('a')
  b = await stage.tab('b')
  c = await stage.tab('c')
  tabs.push(a, b, c)
})

afterAll(async () => { await stage?.close() })

describe('three tabs', () => {
  test('find each other over WebRTC, mine one chain, and seal rounds of what several of them trained', async () => {
    const before = await accuracy(a)
    await Promise.all(tabs.map(async t => { await t.mine(true) }))
    for (const t of tabs) await t.until('two direct links', 60_000, v => webrtc(v) >= 2)
    const sealed = await until('sealed contributions of two tabs', 120_000, async () => {
      const counts = await Promise.all(tabs.map(async t => (await t.view()).mining.contributionsSealed))
      return counts.filter(n => n > 0).length >= 2 ? counts : undefined
    })
    expect(sealed.reduce((x, y) => x + y)).toBeGreaterThanOrEqual(2)
    const views = await agree(tabs, 60_000, 8)
    expect(views[0].replayFailures).toBe(0)
    for (const v of views) expect(v.committee.size).toBeGreaterThanOrEqual(1)
    const after = await until('accuracy on held-out records 20 points up', 120_000, async () => {
      const now = await accuracy(a)
      return now > before + 0.2 ? now : undefined
    })
    expect(after).toBeLessThanOrEqual(1)
    // Every tab has redone what the others found.
    for (const t of tabs) await t.until('replays of the others\' blocks', 30_000, v => v.replays > 0 && v.blocksReplayed.length > 0)
  })

  test('replay a block at the press of a button, to the same digests', async () => {
    const block = await until('a block of another tab', 60_000, async () => (await b.blocks(50)).find(x => !x.mine && x.onMainChain))
    await b.show('blocks', block.hash)
    await b.element('block-detail').waitFor()
    await b.element('replay-button').click()
    const result = b.element('replay-result')
    await result.waitFor({ timeout: 60_000 })
    expect(await result.getAttribute('data-verdict')).toBe('ok')
    const text = await result.innerText()
    // Once as claimed, once as computed.
    expect(text.split(block.resultHash).length - 1).toBe(2)
  })

  test('send credits from one wallet to another, with a confirmation and a reason on both sides', async () => {
    const from = await until('a tab that can spend', 90_000, async () => {
      for (const t of [a, b, c]) if ((await t.view()).wallet.balance > 3n * CREDIT) return t
      return undefined
    })
    const to = from === b ? c : b
    const { address } = (await to.view()).wallet
    await from.show('wallet', 'send')
    await from.element('send-to').fill(address)
    await from.element('send-amount').fill('1.25')
    await from.element('send-submit').click()
    const dialog = from.element('send-confirm')
    await dialog.waitFor()
    const receipt = await dialog.innerText()
    expect(receipt).toContain(address)
    expect(receipt).toContain('1.25 credits')
    expect((await history(from)).some(h => h.kind === 'sent')).toBe(false)
    await from.element('send-confirm-yes').click()
    await dialog.waitFor({ state: 'hidden' })
    const sent = await until('the transfer in the sender\'s history', 60_000, async () => (await history(from)).find(h => h.kind === 'sent'))
    const received = await until('the transfer in the receiver\'s history', 60_000, async () => (await history(to)).find(h => h.kind === 'received'))
    expect(received.amount).toBe(5n * CREDIT / 4n)
    expect(sent.amount).toBe(-(received.amount + (await from.view()).wallet.minFee))
    expect(sent.reason).toContain(address)
    expect(received.reason).toContain((await from.view()).wallet.address)
    // The block that carries it may give way to another one: page and history are compared at one time.
    const rows = from.page.locator('[data-testid="history-row"][data-kind="sent"]')
    await until('the row that says why', 30_000, async () => {
      const said = (await history(from)).find(h => h.kind === 'sent')
      return said !== undefined && (await rows.allInnerTexts()).some(t => t.includes(said.reason))
    })
  })

  test('send from two tabs of one profile at the same moment: each transfer has its own place, and all arrive', async () => {
    const from = await until('a tab that can spend', 90_000, async () => {
      for (const t of [a, b, c]) if ((await t.view()).wallet.balance > 3n * CREDIT) return t
      return undefined
    })
    const to = from === b ? c : b
    const { address } = (await to.view()).wallet
    const sibling = await stage!.tab('sibling', from.page.context())
    await sibling.until('the balance of its wallet', 120_000, v => v.wallet.key !== '' && v.wallet.balance > 2n * CREDIT)
    expect((await sibling.view()).wallet.address).toBe((await from.view()).wallet.address)
    const amounts = [110_000n, 120_000n, 130_000n, 140_000n]
    const sent = await Promise.all(amounts.map(async (amount, i) => await (i % 2 === 0 ? from : sibling).page.evaluate(async ([to, n]) => await window.commonweight!.send(to, n, 1_000n), [address, amount] as const)))
    expect(sent.map(s => s.ok)).toEqual(amounts.map(() => true))
    await until('all of them in the receiver\'s history', 120_000, async () => {
      const received = new Set((await history(to)).filter(h => h.kind === 'received').map(h => h.amount))
      return amounts.every(n => received.has(n))
    })
    for (const t of [from, sibling]) expect((await t.view()).wallet.unsent).toEqual([])
    expect((await from.view()).elsewhereAt).toBeUndefined()
    await sibling.page.close()
  })
})

describe('a job of one\'s own data', () => {
  test('bad files and a bad job file are refused by line and field, and nothing is lost', async () => {
    await a.until('credits for a job', 90_000, v => v.wallet.balance - v.wallet.pendingOut > 25n * CREDIT)
    await a.show('jobs', 'new')
    const csv = await readFile('examples/flowers.csv', 'utf8')
    const broken = csv.split('\n').with(6, '5.0,oops,1.4,0.2,alba').join('\n')
    await a.element('wizard-label-column').fill('species')
    await a.element('wizard-files').setInputFiles({ name: 'broken.csv', mimeType: 'text/csv', buffer: Buffer.from(broken) })
    const refused = a.page.locator('[data-testid="wizard-file-error"], [data-testid="wizard-data-error"]').first()
    await refused.waitFor()
    expect((await refused.innerText()).toLowerCase()).toContain('line 7')
    expect(await a.element('wizard-label-column').inputValue()).toBe('species')
    expect(await a.element('wizard-next').isDisabled()).toBe(true)

    await a.element('wizard-file-trainFeatures').setInputFiles('examples/flowers.csv')
    await a.element('wizard-preview').waitFor()
    expect(await a.element('wizard-preview').innerText()).toContain('150 records read')
    await a.element('wizard-next').click()
    await a.element('wizard-mode-json').check({ force: true })
    const wrong = JSON.stringify({ ...JOB, optimizer: { type: 'adam', learning_rate: 'fast' } }, null, 2)
    await a.element('wizard-json').fill(wrong)
    const errors = a.element('wizard-model-error')
    await until('the field to be named', 20_000, async () => await errors.count() > 0 && (await errors.innerText()).includes('optimizer.learning_rate'))
    const notJson = wrong.replace('"fast"', 'fast')
    await a.element('wizard-json').fill(notJson)
    await until('the line of the mistake', 20_000, async () => (await errors.innerText()).includes('line '))
    expect(await a.element('wizard-json').inputValue()).toBe(notJson)
    expect(await a.element('wizard-next').isDisabled()).toBe(true)
  })

  test('is posted, fetched by the others, trained and paid for', async () => {
    const json = JSON.stringify(JOB, null, 2)
    await a.element('wizard-json').fill(json)
    await a.element('wizard-checked').waitFor()
    await a.element('wizard-next').click()
    await a.element('wizard-escrow').fill('10')
    await a.element('wizard-price').fill('0.05')
    await until('the price worked out', 20_000, async () => (await a.element('wizard-pays').innerText()) === '200')
    await a.element('wizard-next').click()
    await a.element('wizard-post').click()
    const dialog = a.element('wizard-confirm')
    await dialog.waitFor()
    expect(await dialog.innerText()).toContain('10 credits')
    await a.element('wizard-confirm-yes').click()
    await dialog.waitFor({ state: 'hidden' })
    jobId = await until('the job\'s page', 30_000, async () => /^#\/jobs\/([0-9a-f]{64})/.exec(await a.page.evaluate(() => location.hash))?.[1])
    for (const t of tabs) await t.until('the job on the chain', 90_000, v => jobOf(v))
    for (const t of [b, c]) await t.until('the job\'s data, over streams', 90_000, v => jobOf(v)?.dataHeld === 1)
    await a.until('the committee to attest the data', 90_000, v => jobOf(v)?.status === 'active')
    const trained = await b.until('sealed rounds of the job', 120_000, v => { const j = jobOf(v); return j !== undefined && j.round >= 2 && j.escrowLeft < j.escrow ? j : undefined })
    expect(trained.escrow).toBe(10n * CREDIT)
    await b.until('paid work', 60_000, v => v.paidShare > 0)
    const paid = await until('the pay of a contribution', 60_000, async () => {
      for (const t of tabs) { const h = (await history(t)).find(x => x.kind === 'contribution' && x.job === jobId); if (h !== undefined) return h }
      return undefined
    })
    expect(paid.amount).toBe(CREDIT / 20n)
    expect(paid.reason).toContain('Flowers')
  })

  test('is cancelled, and the rest of its escrow comes back', async () => {
    await a.show('jobs', jobId)
    // A job that has ended by itself has refunded its rest as well.
    const open = await a.until('the job', 30_000, v => jobOf(v))
    expect(open.escrowLeft).toBeGreaterThan(0n)
    await a.element('job-cancel').click()
    await a.element('job-cancel-confirm-yes').click()
    const ended = await a.until('the job to be cancelled', 60_000, v => { const j = jobOf(v); return j?.status === 'cancelled' ? j : undefined })
    const back = await until('the refund', 60_000, async () => (await history(a)).find(h => h.kind === 'job-refund' && h.job === jobId))
    const parts = 10n * CREDIT - back.amount
    expect(back.amount).toBeGreaterThan(0n)
    expect(parts % (CREDIT / 20n), `${formatAmount(parts)} credits were paid out`).toBe(0n)
    expect(ended.escrow).toBe(10n * CREDIT)
    expect(back.reason).toContain('you cancelled it')
  })
})

describe('a larger set', () => {
  test('goes from tab to tab as the one torrent that all make of it, and is signed for', async () => {
    const post = async (name: string): Promise<{ readonly id: string, readonly root: string }> => await a.page.evaluate(async job => {
      const idx = (dimensions: readonly number[], fill: (body: Uint8Array<ArrayBuffer>) => void): Uint8Array => {
        const bytes = new Uint8Array(4 + 4 * dimensions.length + dimensions.reduce((x, y) => x * y, 1))
        bytes.set([0, 0, 8, dimensions.length])
        dimensions.forEach((d, i) => { new DataView(bytes.buffer).setUint32(4 + 4 * i, d) })
        fill(bytes.subarray(4 + 4 * dimensions.length))
        return bytes
      }
      // Six chunks that cannot be packed.
      const noise = (body: Uint8Array<ArrayBuffer>): void => { for (let at = 0; at < body.length; at += 65_536) crypto.getRandomValues(body.subarray(at, at + 65_536)) }
      const node = window.commonweight!
      const read = await node.previewData({
        kind: 'idx', trainFeatures: { name: 'noise', bytes: idx([3000, 28, 28], noise) },
        trainLabels: { name: 'labels', bytes: idx([3000], body => { body.forEach((_, i) => { body[i] = i % 3 }) }) }
      })
      if (!read.ok) throw new Error(JSON.stringify(read.errors))
      const posted = await node.postJob({ json: JSON.stringify(job), data: read.value.root, escrow: 1_000_000n, pricePerContribution: 10_000n, burn: 100_000n, deadlineBlocks: 5000, fee: 10_000n })
      if (!posted.ok) throw new Error(JSON.stringify(posted.errors))
      return { id: posted.value.id, root: read.value.root }
    }, { ...JOB, name, architecture: { input_size: 784, hidden_sizes: [16], output_size: 3 } })
    const came = async (tab: Tab, root: string): Promise<number> => (await tab.page.evaluate(async () => (await window.commonweight!.logs(500)).map(l => l.text)))
      .filter(text => text.includes(`data-${root.slice(0, 32)}`) && /has come: \d+ bytes/.test(text)).length
    const cancel = async (id: string): Promise<void> => { expect((await a.page.evaluate(async job => (await window.commonweight!.cancelJob(job)).ok, id))).toBe(true) }
    // Whoever finds the block with the job may ask before its owner knows of it, and gets the data over a stream.
    let posted = await post('Noise')
    for (let n = 1; ; n++) {
      for (const t of tabs) await t.until('the data of the job', 120_000, v => v.jobs.find(j => j.id === posted.id)?.dataHeld === 1)
      const times = await Promise.all([b, c].map(async t => await came(t, posted.root)))
      expect(Math.max(...times)).toBeLessThanOrEqual(1)
      if (times.includes(1)) break
      expect(n).toBeLessThan(4)
      await cancel(posted.id)
      posted = await post('Noise')
    }
    const set = async (tab: Tab): Promise<{ infoHash: string, signed: number } | undefined> => await tab.page.evaluate(async of => {
      const item = (await window.commonweight!.library()).items.find(i => i.note?.about.includes(of) === true && i.state === 'complete')
      return item === undefined ? undefined : { infoHash: item.infoHash, signed: item.peers.reduce((n, p) => n + p.receiptsIn, 0) }
    }, posted.root)
    const all = await until('it stands in every library', 60_000, async () => {
      const found = await Promise.all(tabs.map(set))
      return found.every(f => f !== undefined) && found.some(f => f.signed > 0) ? found : undefined
    })
    expect(new Set(all.map(f => f!.infoHash)).size).toBe(1)
    await cancel(posted.id)
  })
})

describe('one profile', () => {
  test('carries its wallet to another by a backup under a passphrase', async () => {
    const { wallet } = await a.view()
    await a.show('wallet', 'keys')
    await a.element('export-passphrase').fill(PASSPHRASE)
    await a.element('export-again').fill(PASSPHRASE)
    await a.element('export-submit').click()
    const backup = await a.element('export-result').locator('textarea').inputValue({ timeout: 60_000 })
    expect((await a.view()).wallet.backedUp).toBe(false)
    const file = a.page.waitForEvent('download')
    await a.element('export-save').click()
    expect(await readFile(await (await file).path(), 'utf8')).toBe(backup)
    await a.until('the backup to be known', 20_000, v => v.wallet.backedUp)
    expect(backup.length).toBeGreaterThan(50)

    const other = await stage!.tab('imported')
    expect((await other.view()).wallet.address).not.toBe(wallet.address)
    await other.show('wallet', 'keys')
    await other.element('import-backup').fill(backup)
    await other.element('import-passphrase').fill('not the passphrase')
    await other.element('import-submit').click()
    await other.element('import-confirm-yes').click()
    await until('the wrong passphrase to be refused', 60_000, async () => (await other.element('import-passphrase').getAttribute('aria-invalid')) === 'true')
    expect(await other.element('import-backup').inputValue()).toBe(backup)
    await other.element('import-passphrase').fill(PASSPHRASE)
    await other.element('import-submit').click()
    await other.element('import-confirm-yes').click()
    await other.element('import-result').waitFor()
    await other.reload()
    expect((await other.view()).wallet.address).toBe(wallet.address)
    await other.context.close()
  })

  test('gives each of its tabs a slot and a key of its own, and all of them one wallet', async () => {
    const second = await stage!.tab('second of c', c.context)
    const [one, two] = await Promise.all([c.view(), second.view()])
    expect(two.slot).not.toBe(one.slot)
    expect(two.miner).not.toBe(one.miner)
    expect(two.self).not.toBe(one.self)
    expect(two.wallet.address).toBe(one.wallet.address)
    await second.close()
  })

  test('keeps key, height and balance over a reload', async () => {
    await b.mine(false)
    const before = await b.until('a balance', 60_000, v => v.wallet.balance > 0n ? v : undefined)
    await b.reload()
    // The newest block may have been on its way to the disk: then a neighbour has it.
    const after = await b.until('its height again', 60_000, v => v.height >= before.height && v.wallet.balance >= before.wallet.balance ? v : undefined)
    expect(after.miner).toBe(before.miner)
    expect(after.slot).toBe(before.slot)
    expect(after.wallet.address).toBe(before.wallet.address)
    expect((await history(b)).length).toBeGreaterThan(0)
    await b.until('being in sync again', 60_000, v => v.phase.phase === 'ready')
    await b.mine(true)
  })
})

describe('the server', () => {
  test('can be killed: blocks go on; when it is back, a late tab catches up', async () => {
    await agree(tabs, 120_000)
    const { height } = await a.view()
    await stage!.server.kill()
    for (const t of tabs) await t.until('the loss of the relay', 60_000, v => v.net.relays.every(r => !r.connected))
    for (const t of tabs) await t.until('three blocks without the relay', 90_000, v => v.height >= height + 3)
    await agree(tabs, 60_000, height + 3)
    // A page that this tab has never shown, with a part of it that is loaded on its own.
    await c.show('jobs', 'new')
    await c.element('wizard').waitFor()
    await stage!.server.restart()
    for (const t of tabs) await t.until('the relay again', 60_000, v => v.net.relays.some(r => r.connected))
    const at = (await a.view()).height
    const late = await stage!.tab('late')
    await late.until('the chain', 120_000, v => v.phase.phase === 'ready' && v.height >= at)
    await agree([...tabs, late], 60_000, at)
    // What lies in the join window was redone by the newcomer itself.
    const blocks = (await late.blocks(24)).filter(x => x.onMainChain)
    expect(blocks.length).toBe(24)
    await until('the newest blocks replayed', 60_000, async () => (await late.blocks(24)).filter(x => x.onMainChain).every(x => x.checked === 'replayed'))
    expect(benchmark(await late.view()).round).toBeGreaterThan(0)
    // Stopped, it is linked to nobody and offers nothing but to start again.
    await late.page.evaluate(async () => { await window.commonweight!.stop() })
    await late.element('control-reload').waitFor()
    expect(await late.element('mine-toggle').count()).toBe(0)
    expect(await late.element('peers-count').innerText()).toBe('0')
    await late.close()
  })

  test('over plain http from elsewhere: the page says what is missing and how to get it', async () => {
    const page = await stage!.page('insecure')
    await page.goto(stage!.server.url.replace('127.0.0.1', FOREIGN_HOST))
    expect(await page.evaluate(() => window.isSecureContext)).toBe(false)
    const words = page.getByTestId('unsupported')
    await words.waitFor()
    expect(await words.locator('[data-reason="insecure-context"]').count()).toBe(1)
    const text = await words.innerText()
    expect(text).toContain(`http://localhost:${new URL(stage!.server.url).port}`)
    expect(text).toContain('ssh -L')
    expect(await page.evaluate(() => window.commonweight === undefined)).toBe(true)
    await page.context().close()
  })
})

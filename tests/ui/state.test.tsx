import { waitFor } from '@solidjs/testing-library'
import { describe, expect, test } from 'vitest'
import type { CurvePoint, NodePhase, NodeView } from '../../src/bridge/api.ts'
import { curveRows } from '../../src/ui/parts/Chart.tsx'
import { isServerAway } from '../../src/ui/parts/Invite.tsx'
import { parseRoute } from '../../src/ui/router.ts'
import { LOGS_MAX } from '../../src/ui/state.ts'
import { phaseWords } from '../../src/ui/words.ts'
import { BENCHMARK, makeBlock } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, find, get, open, text } from './support.tsx'

/** A row per phase: what the person reads must name the state and what to do about it. */
const PHASES: ReadonlyArray<readonly [NodePhase, string, RegExp, RegExp]> = [
  [{ phase: 'starting', step: 'opening the database' }, 'Starting', /starting/i, /opening the database\./i],
  [{ phase: 'joining' }, 'Joining', /joining the network/i, /looking for other tabs/i],
  [{ phase: 'alone' }, 'Alone', /no other tab/i, /invite link/i],
  [{ phase: 'syncing', height: 50, target: 200, stage: 'states', done: 0.25 }, 'Syncing 25 %', /catching up/i, /block 50 of 200: fetching model states/i],
  [{ phase: 'behind', height: 90, target: 100, done: 0 }, 'Behind', /behind the network/i, /at block 90, others are at 100/i],
  [{ phase: 'no-data', job: hex('job'), have: 3, want: 12 }, 'No data', /training data/i, /3 of 12 pieces/i],
  [{ phase: 'pruned', height: 70, detail: 'Ask for a checkpoint.' }, 'Pruned', /no longer kept/i, /before block 70.*Ask for a checkpoint/i],
  [{ phase: 'asleep', forMs: 180_000 }, 'Was asleep', /asleep/i, /suspended it for 3 min/i],
  [{ phase: 'newer-version', version: 7 }, 'Update needed', /newer version/i, /version 7.*Reload/i],
  [{ phase: 'storage-failed', kind: 'full', detail: '' }, 'Storage failed', /out of space/i, /Free some space/i],
  [{ phase: 'storage-failed', kind: 'gone', detail: '' }, 'Storage failed', /removed the saved data/i, /private window/i],
  [{ phase: 'storage-failed', kind: 'newer', detail: '' }, 'Storage failed', /newer version/i, /Close other tabs/i],
  [{ phase: 'storage-failed', kind: 'corrupt', detail: 'block 12' }, 'Storage failed', /damaged/i, /\(block 12\).*Settings/i],
  [{ phase: 'stopped', detail: 'Stopped by you.' }, 'Stopped', /stopped/i, /Stopped by you\. Reload/i]
]

describe('addresses', () => {
  test.each([
    ['#/blocks/ab%20c?x=1', { view: 'blocks', arg: 'ab c' }], ['#/wallet/keys', { view: 'wallet', arg: 'keys' }], ['#/wallet/', { view: 'wallet' }],
    ['#/nowhere/1', { view: 'train', unknown: 'nowhere' }], ['#/', { view: 'train' }], ['', { view: 'train' }], ['#/jobs/%E0%A4%A', { view: 'jobs', arg: '%E0%A4%A' }]
  ])('%s', (hash, route) => { expect(parseRoute(hash)).toEqual(route) })
})

describe('phases', () => {
  for (const [phase, label, title, words] of PHASES) {
    test(`${phase.phase}${'kind' in phase ? ` (${phase.kind})` : ''} is said in words`, async () => {
      await open('train', { phase })
      expect(get('phase').dataset['phase']).toBe(phase.phase)
      expect(text('phase')).toBe(label)
      expect(text('phase-note')).toMatch(title)
      expect(text('phase-note')).toMatch(words)
    })
  }

  test('ready needs no note', async () => {
    await open('train')
    expect(text('phase')).toBe('In sync')
    expect(all('phase-note')).toHaveLength(0)
  })

  test('a block or two to fetch does not make the page jump', async () => {
    const { node } = await open('train', { phase: { phase: 'syncing', height: 210, target: 212, stage: 'blocks', done: 0.99 } })
    expect(text('phase')).toBe('Syncing 99 %')
    expect(all('phase-note')).toHaveLength(0)
    node.show({ phase: { phase: 'syncing', height: 0, target: 2, stage: 'headers', done: 0 } })
    await find('phase-note')
  })

  test('alone shows the invite link on the spot', async () => {
    await open('train', { phase: { phase: 'alone' }, peers: 0 }, { inviteLink: () => 'https://example.org/#/train?relay=x' })
    expect(text('invite-link')).toBe('https://example.org/#/train?relay=x')
  })

  test('an invite that nobody can open says so, as long as its server is away', async () => {
    const { node } = await open('network')
    expect(all('invite-away')).toHaveLength(0)
    const relays = (connected: boolean): NodeView['net'] => ({ ...node.current().net, relays: node.current().net.relays.map(r => r.address.includes('localhost') ? { ...r, connected } : { ...r, connected: true }) })
    node.show({ net: relays(false) })
    expect((await find('invite-away')).textContent).toMatch(/Nobody can open this link at present.*works again once the server is back/)
    // A tab that has stopped is linked to no server, whatever that does.
    node.show({ phase: { phase: 'stopped', detail: '' } })
    await waitFor(() => { expect(all('invite-away')).toHaveLength(0) })
    node.show({ phase: { phase: 'ready' }, net: relays(true) })
    expect(all('invite-away')).toHaveLength(0)
    // A page that is served by none of them is judged by all.
    const [here, there] = node.current().net.relays
    expect([[here!, there!], [{ ...here!, connected: false }, { ...there!, connected: false }], []].map(r => isServerAway('https://page.example/#/train', r))).toEqual([false, true, false])
  })

  test('a change of phase is announced, progress within one is not', async () => {
    const { node, root } = await open('train', { phase: { phase: 'joining' } })
    const live = root.querySelector('main [aria-live="polite"]')
    expect(live?.textContent).toMatch(/joining/i)
    node.show({ phase: { phase: 'syncing', height: 1, target: 9, stage: 'blocks', done: 0.11 } })
    await waitFor(() => { expect(text('phase')).toBe('Syncing 11 %') })
    const said = live?.textContent
    node.show({ phase: { phase: 'syncing', height: 5, target: 9, stage: 'blocks', done: 0.55 } })
    await waitFor(() => { expect(text('phase')).toBe('Syncing 55 %') })
    expect(live?.textContent).toBe(said)
  })

  test('words exist without a page', () => {
    expect(phaseWords({ phase: 'syncing', height: 0, target: 0, stage: 'headers', done: 0 }).progress).toBe(0)
    // What they are the heights of is said: they are not one row of numbers.
    expect(phaseWords({ phase: 'syncing', height: 58, target: 100, stage: 'headers', done: 0.17 }).text).toBe('Fetching block headers: 58 of 100 are here.')
    expect(phaseWords({ phase: 'syncing', height: 0, target: 100, stage: 'snapshot', done: 0.3 })).toMatchObject({ label: 'Syncing 30 %', text: 'The headers are here. Fetching the ledger of a recent block; the chain has 100.' })
  })
})

describe('projection of events', () => {
  test('the view moves height and peers', async () => {
    const { node } = await open('train')
    expect(text('height')).toBe('212')
    expect(text('peers-count')).toBe('7')
    node.show({ height: 213, peers: [] })
    await waitFor(() => { expect(text('height')).toBe('213') })
    expect(text('peers-count')).toBe('0')
  })

  test('a new block goes on top, an update changes it in place, a rival takes the height', async () => {
    const { node } = await open('blocks')
    await find('blocks-older')
    const before = all('block-row').length
    const block = makeBlock(213, Date.now(), { checked: 'pending' })
    node.emit({ type: 'block', block })
    expect(all('block-row')[0]?.dataset['height']).toBe('213')
    expect(all('block-row')[0]?.dataset['checked']).toBe('pending')
    node.emit({ type: 'block', block: { ...block, checked: 'replayed' } })
    expect(all('block-row')).toHaveLength(before + 1)
    expect(all('block-row')[0]?.dataset['checked']).toBe('replayed')
    node.emit({ type: 'block', block: { ...block, hash: hex('rival') } })
    const at213 = all('block-row').filter(r => r.dataset['height'] === '213')
    expect(at213.map(r => r.dataset['main']).sort()).toEqual(['false', 'true'])
    expect(at213.find(r => r.dataset['main'] === 'true')?.dataset['hash']).toBe(hex('rival'))
  })

  test('a new measurement moves the accuracy shown', async () => {
    const { node } = await open('train', { mining: false })
    await waitFor(() => { expect(Number(get('loss-chart').dataset['points'])).toBeGreaterThan(10) })
    const points = Number(get('loss-chart').dataset['points'])
    node.emit({ type: 'curve', point: { job: BENCHMARK, round: 999, timeMs: Date.now(), samples: 9_000_000, accuracy: 0.9731, loss: 0.11 } })
    expect(text('accuracy')).toBe('97.3 %')
    expect(Number(get('loss-chart').dataset['points'])).toBe(points + 1)
  })

  test('over rounds that this tab knows nothing of the curve has a gap, and words for it', async () => {
    const point = (round: number, gap?: boolean): CurvePoint => ({ job: BENCHMARK, round, timeMs: 1_700_000_000_000 + round * 1_000, samples: 2_000, accuracy: 0.5, loss: 1, gap })
    const points = [point(0), point(600, true), point(604)]
    expect(curveRows(points, 'round').map(r => [r.x, r.point?.round])).toEqual([[0, 0], [300, undefined], [600, 600], [604, 604]])
    expect(curveRows(points, 'time').map(r => r.point?.round)).toEqual([600, 604])
    await open('train', { mining: false }, {}, node => { node.answer('curve', async () => points) })
    expect((await find('chart-gap')).textContent).toBe('Between rounds 0 and 600 this tab has measured nothing; round 0 is the model before training.')
    expect(get('loss-chart').dataset['points']).toBe('3')
  })

  test('logs are bounded', async () => {
    const { node } = await open('logs')
    await waitFor(() => { expect(all('log-row').length).toBeGreaterThan(10) })
    for (let i = 0; i < LOGS_MAX + 50; i++) node.emit({ type: 'log', entry: { timeMs: 2e12 + i, level: 'info', area: 'flood', text: `line ${i}` } })
    await waitFor(() => { expect(all('log-row').at(-1)?.textContent).toContain(`line ${LOGS_MAX + 49}`) })
    expect(all('log-row')).toHaveLength(LOGS_MAX)
  })

  test('notices appear, once each, and can be closed', async () => {
    const { node, root } = await open('train')
    node.emit({ type: 'notice', level: 'error', text: 'The disk is full.' })
    node.emit({ type: 'notice', level: 'error', text: 'The disk is full.' })
    expect(text('toast')).toContain('The disk is full.')
    expect(get('toast').getAttribute('role')).toBe('alert')
    root.querySelector<HTMLButtonElement>('[data-testid="toast"] button')?.click()
    expect(all('toast')).toHaveLength(0)
  })
})

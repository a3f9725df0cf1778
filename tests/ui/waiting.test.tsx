/** What waits for a block is listed, and where none comes the page says so. */
import { describe, expect, test } from 'vitest'
import type { NodeView, PendingView } from '../../src/bridge/api.ts'
import { silence, SILENT_INTERVALS, silenceWords } from '../../src/ui/words.ts'
import { BENCHMARK, CREDIT, makeJobs, makeView, OTHER_ADDRESS } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, click, find, get, open, text, waitFor } from './support.tsx'

const AGO_MS = 5.5 * 60_000
const NEW_JOB = hex('job-new')
const transfer: PendingView = { id: hex('p1'), kind: 'transfer', to: OTHER_ADDRESS, amount: 4n * CREDIT, fee: 1_000n, sinceMs: Date.now() - AGO_MS }
const posting: PendingView = { id: hex('p2'), kind: 'job', job: NEW_JOB, name: 'My flowers', amount: 10n * CREDIT, fee: 1_000n, sinceMs: Date.now() - AGO_MS }

const silent = (part: Partial<NodeView> = {}): Partial<NodeView> => ({ headTimeMs: Date.now() - AGO_MS, ...part })
const waits = (view: NodeView, ...pending: PendingView[]): Partial<NodeView> => ({ wallet: { ...view.wallet, pending } })

describe('where no block comes', () => {
  test.each(['train', 'jobs', `jobs/${BENCHMARK}`])('%s says so, and a button starts training', async (route) => {
    const { node } = await open(route, { mining: false })
    expect(text('phase')).toBe('In sync')
    expect(all('silence')).toHaveLength(0)
    node.show(silent())
    await waitFor(() => { expect(text('phase')).toBe('No new block') })
    expect(get('phase').className).toContain('tone-warn')
    expect(get('phase').title).toMatch(/No block for 5 minutes/)
    expect(text('silence')).toMatch(/No block for 5 minutes: nobody seems to be training.*about every 10 s.*late by luck/)
    click('silence-start')
    await waitFor(() => { expect(node.called('setMining')).toEqual([[{ on: true }]]) })
    await waitFor(() => { expect(text('silence')).toMatch(/This tab trains/) })
    expect(text('silence')).not.toMatch(/nobody/)
    node.show({ headTimeMs: Date.now() })
    await waitFor(() => { expect(text('phase')).toBe('In sync') })
    expect(all('silence')).toHaveLength(0)
  })

  test('the wallet says so where something waits, also in a tab that is alone', async () => {
    const { node } = await open('wallet', { mining: false })
    node.show(silent())
    await waitFor(() => { expect(text('phase')).toBe('No new block') })
    expect(all('silence')).toHaveLength(0)
    node.show(silent({ phase: { phase: 'alone' }, ...waits(node.current(), transfer) }))
    await waitFor(() => { expect(text('silence')).toMatch(/What you have sent waits for that block/) })
    expect(text('phase')).toBe('Alone')
  })

  test('luck is no silence, nor is what a tab that catches up has not heard', () => {
    const view = makeView()
    const after = (intervals: number, part: Partial<NodeView> = {}): number | undefined => silence({ ...view, ...part }, view.headTimeMs + intervals * view.blockIntervalMs, 0)
    expect(after(SILENT_INTERVALS - 1)).toBeUndefined()
    expect(after(SILENT_INTERVALS)).toBe(SILENT_INTERVALS * view.blockIntervalMs)
    expect(after(SILENT_INTERVALS, { phase: { phase: 'joining' } })).toBeUndefined()
    expect(after(SILENT_INTERVALS, { phase: { phase: 'stopped', detail: '' } })).toBeUndefined()
    // Genesis is of no time: what counts is how long this page has waited.
    expect(silence({ ...view, height: 0, headTimeMs: 0 }, 1_000_000, 1_000_000 - view.blockIntervalMs)).toBeUndefined()
    // At random intervals of that mean.
    expect(Math.exp(-SILENT_INTERVALS)).toBeLessThan(1 / 22_000)
  })

  test('training that is switched on and rests is not called nobody\'s fault but said', () => {
    const view = makeView()
    expect(silenceWords(3_600_000, { ...view, mining: { ...view.mining, state: 'paused-hidden' } })).toMatchObject({ title: 'No block for 1 hour: nobody seems to be training', text: expect.stringMatching(/switched on here, and does not run/) as string })
  })
})

describe('what waits for a block', () => {
  test('stands on top of all that was, and of what was spent, and not elsewhere', async () => {
    const { node } = await open('wallet')
    await waitFor(() => { expect(all('history-row').length).toBeGreaterThan(10) })
    node.show(waits(node.current(), transfer, posting))
    await waitFor(() => { expect(all('pending-row').map(r => r.dataset['kind'])).toEqual(['job', 'transfer']) })
    const rows = all('history-row')[0]!.parentElement!.children
    expect([...rows].slice(0, 3).map(r => (r as HTMLElement).dataset['testid'])).toEqual(['pending-row', 'pending-row', 'history-row'])
    const [job, sent] = all('pending-row')
    expect(job!.textContent).toMatch(/My flowers.*−10\.001.*waits for a block/)
    expect(job!.querySelector('a')?.getAttribute('href')).toContain(`jobs/${NEW_JOB}`)
    expect(sent!.textContent).toMatch(/Sending5 min ago.*To cw1.*−4\.001.*waits for a block/)
    get('history-filter-spent').click()
    await waitFor(() => { expect(all('history-row')).toHaveLength(2) })
    expect(all('pending-row')).toHaveLength(2)
    get('history-filter-earned').click()
    await waitFor(() => { expect(all('pending-row')).toHaveLength(0) })
  })

  test('an own job waits in the list of jobs, and leads to its page', async () => {
    const { node, go } = await open('jobs')
    node.show({ jobs: makeJobs().filter(j => j.benchmark) })
    await waitFor(() => { expect(document.body.textContent).toContain('No paid job right now') })
    node.show(waits(node.current(), transfer, posting))
    const row = await find('job-pending')
    expect(row.textContent).toMatch(/My flowers.*yours.*waits for a block.*Posted 5 min ago with 10 credits/)
    expect(row.getAttribute('href')).toContain(`jobs/${NEW_JOB}`)
    expect(document.body.textContent).not.toContain('No paid job right now')
    // As after a reload: no memory of the page, what the node says alone.
    await go(`jobs/${NEW_JOB}`)
    expect((await find('job-waits')).parentElement!.parentElement!.textContent).toMatch(/“My flowers” waits for its block.*Posted 5 min ago with 10 credits/)
  })
})

import { describe, expect, test } from 'vitest'
import type { MiningView } from '../../src/bridge/api.ts'
import { presetSettings } from '../../src/ui/views/Train.tsx'
import { makeView } from './fakeNode.ts'
import { all, click, find, get, open, text, waitFor } from './support.tsx'

describe('mining', () => {
  test('banners speak of credits with two decimals', async () => {
    const { node } = await open('train')
    const { wallet } = node.current()
    node.show({ wallet: { ...wallet, balance: 12_255_478_491n, maturing: 0n } })
    await waitFor(() => { expect(text('backup-nudge')).toContain('you lose 12,255.47 credits for good') })
    node.show({ wallet: { ...wallet, balance: 491n, maturing: 0n } })
    expect(text('backup-nudge')).toContain('you lose 0.000491 credits for good')
  })

  test('the button starts and pauses', async () => {
    const { node } = await open('train', { mining: false })
    expect(text('mine-toggle')).toBe('Start training & mining')
    click('mine-toggle')
    await waitFor(() => { expect(text('mine-toggle')).toBe('Pause'); expect(get('mine-toggle').getAttribute('aria-busy')).toBe('false') })
    click('mine-toggle')
    await waitFor(() => { expect(text('mine-toggle')).toBe('Start training & mining') })
    expect(node.called('setMining')).toEqual([[{ on: true }], [{ on: false }]])
  })

  const states: ReadonlyArray<readonly [MiningView['state'], string, RegExp]> = [
    ['off', '', /Not training.*Start to train/],
    ['waiting', 'the kernel is testing itself', /Waiting to work.*The kernel is testing itself\./],
    ['working', '', /Training Handwritten letters.*Round 61/],
    ['paused-hidden', '', /background.*when to pause/],
    ['paused-battery', '', /battery.*charging/]
  ]
  for (const [state, detail, words] of states) {
    test(`${state} is said in words`, async () => {
      await open('train', {}, {}, node => { node.answer('view', async () => ({ ...makeView(), mining: { ...makeView().mining, state, detail } })) })
      expect(get('mining-state').dataset['state']).toBe(state)
      expect(text('mining-state')).toMatch(words)
    })
  }

  test('a node that has stopped offers a reload instead of training', async () => {
    let reloads = 0
    const { node } = await open('train', {}, { reload: () => { reloads++ } })
    await node.stop()
    await waitFor(() => { expect(get('mining-state').dataset['state']).toBe('stopped') })
    expect(all('mine-toggle')).toHaveLength(0)
    expect(all('intensity')).toHaveLength(0)
    expect(text('peers-count')).toBe('0')
    expect(text('committee')).toBe('Who seals the rounds is known again after a reload.')
    click('control-reload')
    expect(reloads).toBe(1)
  })

  // While a tab catches up, the committee it knows is the one of an older block.
  for (const [height, words] of [[25, 'Who seals the rounds is known once this tab has caught up.'], [66, '2 recent miners seal the rounds.']] as const) {
    test(`who seals the rounds, at block ${height} of 68`, async () => {
      const committee = { size: 2, member: false, ready: true, needsBlocks: 0 }
      await open('train', {}, {}, node => { node.answer('view', async () => ({ ...makeView(), committee, phase: { phase: 'syncing', height, target: 68, stage: 'blocks', done: 0.5 } })) })
      expect(text('committee')).toBe(words)
    })
  }

  test('an intensity sets workers and duty', async () => {
    const { node } = await open('train')
    get('intensity-gentle').click()
    await waitFor(() => { expect(node.called('setMining')).toHaveLength(1) })
    expect(node.called('setMining')[0]).toEqual([presetSettings('gentle', 8)])
    expect(presetSettings('full', 8)).toEqual({ workers: 8, duty: 1 })
    expect(presetSettings('balanced', 1).workers).toBe(1)
  })

  test('pausing rules are switches', async () => {
    const { node } = await open('train')
    get('pause-hidden').click()
    await waitFor(() => { expect(node.called('setMining')).toEqual([[{ pauseWhenHidden: true }]]) })
  })

  test('a busy button keeps the focus and does nothing more', async () => {
    const { node } = await open('train', { mining: false })
    let answer = (): void => {}
    node.answer('setMining', async () => { await new Promise<void>(resolve => { answer = resolve }) })
    get('mine-toggle').focus()
    click('mine-toggle')
    await waitFor(() => { expect(get('mine-toggle').getAttribute('aria-disabled')).toBe('true') })
    click('mine-toggle')
    expect(node.called('setMining')).toHaveLength(1)
    expect(document.activeElement).toBe(get('mine-toggle'))
    answer()
    await waitFor(() => { expect(get('mine-toggle').hasAttribute('aria-disabled')).toBe(false) })
    expect(document.activeElement).toBe(get('mine-toggle'))
  })

  test('a failed call is a notice, not a crash', async () => {
    const { node } = await open('train', { mining: false })
    node.answer('setMining', async () => { throw new Error('the worker is gone') })
    click('mine-toggle')
    expect((await find('toast')).textContent).toContain('the worker is gone')
    expect(text('mine-toggle')).toBe('Start training & mining')
  })

  test('a kernel that fails its self-test is named', async () => {
    await open('train', {}, {}, node => { node.answer('view', async () => ({ ...makeView(), compute: { ...makeView().compute, backend: 'reference', selfTest: 'failed', failure: 'wasm: vector 3 differs' } })) })
    expect(text('selftest-failed')).toMatch(/wasm: vector 3 differs.*reference/)
  })

  test('the paid share is in sight on every view', async () => {
    const { go } = await open('train')
    for (const view of ['network', 'blocks', 'wallet', 'jobs', 'try', 'logs', 'settings']) {
      await go(view)
      expect(text('paid-share')).toBe('38 %')
    }
  })

  test('the guide ticks what a person did, not what the node does by itself', async () => {
    const ticked = (): boolean[] => [...get('guide').querySelectorAll('li')].map(li => li.classList.contains('done'))
    const { node, go } = await open('train', { balance: 0n }, {}, n => { n.answer('history', async () => []) })
    node.show({ replays: 12, mining: { ...node.current().mining, slices: 3 }, wallet: { ...node.current().wallet, balance: 5_000_000n } })
    await waitFor(() => { expect(ticked()).toEqual([true, false, false]) })
    const [newest] = await node.blocks(1)
    await go(`blocks/${newest!.hash}`)
    await find('replay-button')
    click('replay-button')
    await find('replay-result')
    await go('train')
    expect(ticked()).toEqual([true, true, false])
    node.answer('history', async () => [{ id: 'one', timeMs: 1, height: 3, kind: 'sent', amount: -5n, reason: 'sent' }])
    node.show({ height: node.current().height + 1 })
    await waitFor(() => { expect(ticked()).toEqual([true, true, true]) })
  })

  test('the guide stays away once dismissed', async () => {
    await open('train', { balance: 0n })
    click('guide-dismiss')
    expect(all('guide')).toHaveLength(0)
    expect(window.localStorage.getItem('commonweight.guide')).toBe('done')
  })

  test('a backup is asked for once there is something to lose', async () => {
    const { node } = await open('train', { balance: 0n })
    expect(all('backup-nudge')).toHaveLength(0)
    node.show({ wallet: { ...node.current().wallet, maturing: 5n } })
    await find('backup-nudge')
    node.show({ wallet: { ...node.current().wallet, backedUp: true } })
    await waitFor(() => { expect(all('backup-nudge')).toHaveLength(0) })
  })
})

describe('the page around it', () => {
  test('every view has a title and its heading', async () => {
    const { go, root } = await open('train')
    for (const [view, title] of [['network', 'Network'], ['blocks', 'Blocks'], ['wallet', 'Wallet'], ['jobs', 'Jobs'], ['try', 'Try a model'], ['logs', 'Logs'], ['settings', 'Settings']] as const) {
      await go(view)
      await waitFor(() => { expect(document.title).toBe(`${title} · Commonweight`) })
      expect(root.querySelector('h1')?.textContent).toBe(title)
      expect(document.activeElement).toBe(root.querySelector('h1'))
      expect(get(`nav-${view}`).getAttribute('aria-current')).toBe('page')
    }
  })

  test('the skip link leads to the content, and every control has a name', async () => {
    const { root, go } = await open('train')
    root.querySelector<HTMLElement>('.skip')?.click()
    expect(document.activeElement?.id).toBe('content')
    for (const view of ['train', 'network', 'blocks', 'wallet', 'jobs', 'try', 'logs', 'settings']) {
      await go(view)
      await waitFor(() => { expect(root.querySelectorAll('main .card').length).toBeGreaterThan(0) })
      for (const control of root.querySelectorAll<HTMLElement>('button, a[href], input, select, textarea')) {
        const labelled = control.getAttribute('aria-label') ?? control.getAttribute('aria-labelledby') ?? control.textContent?.trim() ?? ''
        const label = control.id === '' ? null : root.querySelector(`label[for="${control.id}"]`)
        expect(labelled !== '' || label !== null || control.closest('label') !== null, `${view}: ${control.outerHTML.slice(0, 160)}`).toBe(true)
        expect(control.tabIndex, `${view}: ${control.outerHTML.slice(0, 120)}`).toBeLessThanOrEqual(0)
      }
    }
  })

  test('the theme goes round and is remembered', async () => {
    await open('train')
    expect(document.documentElement.dataset['theme']).toBe('system')
    click('theme-toggle')
    // The system is light: the first click can be seen.
    expect(document.documentElement.dataset['theme']).toBe('dark')
    click('theme-toggle')
    expect(document.documentElement.dataset['theme']).toBe('light')
    expect(window.localStorage.getItem('commonweight.theme')).toBe('light')
    click('theme-toggle')
    expect(document.documentElement.dataset['theme']).toBe('system')
  })

  test('a theme that is chosen in another tab reaches this one', async () => {
    await open('train')
    const chosen = (theme: string): void => {
      window.localStorage.setItem('commonweight.theme', theme)
      window.dispatchEvent(new StorageEvent('storage', { key: 'commonweight.theme', newValue: theme }))
    }
    chosen('dark')
    await waitFor(() => { expect(document.documentElement.dataset['theme']).toBe('dark') })
    expect(get('theme-toggle').dataset['themeChoice']).toBe('dark')
    chosen('no theme')
    await waitFor(() => { expect(document.documentElement.dataset['theme']).toBe('system') })
  })

  test('the node is told whether the page is hidden', async () => {
    const { node } = await open('train')
    await waitFor(() => { expect(node.called('setEnvironment')[0]).toEqual([{ hidden: false, onBattery: false }]) })
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
    expect(node.called('setEnvironment').at(-1)).toEqual([{ hidden: true, onBattery: false }])
    Object.defineProperty(document, 'visibilityState', { value: 'visible', configurable: true })
  })

  test('an address that names no page says so, and says no more than that', async () => {
    const { go } = await open('train')
    expect(all('unknown-address')).toHaveLength(0)
    await go('nope/%E0%A4%A')
    expect(text('unknown-address')).toMatch(/“nope”, which is none of the pages here/)
    await go('wallet')
    expect(all('unknown-address')).toHaveLength(0)
  })

  test('parameters of the first address stay on every later one', async () => {
    await open('train?relay=abc')
    expect(get('nav-wallet').getAttribute('href')).toBe('#/wallet?relay=abc')
  })
})

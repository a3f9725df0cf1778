import { fireEvent } from '@solidjs/testing-library'
import { describe, expect, test } from 'vitest'
import type { HistoryEntry } from '../../src/bridge/api.ts'
import { CREDIT, MY_ADDRESS, OTHER_ADDRESS } from './fakeNode.ts'
import { hex } from './hex.ts'
import { historyRows } from '../../src/ui/historyRows.ts'
import { all, click, errorOf, find, get, open, text, type, waitFor } from './support.tsx'

const value = (testid: string): string => (get(testid) as HTMLInputElement).value

async function wallet (balance = 100n * CREDIT): Promise<Awaited<ReturnType<typeof open>>> {
  const opened = await open('wallet', { balance })
  await find('send-form')
  return opened
}

describe('send', () => {
  const wrong: ReadonlyArray<readonly [string, string, string, 'send-to' | 'send-amount' | 'send-fee', RegExp]> = [
    ['a mistyped address', OTHER_ADDRESS.slice(0, -1) + (OTHER_ADDRESS.endsWith('q') ? 'p' : 'q'), '1', 'send-to', /not an address/],
    ['the own address', MY_ADDRESS, '1', 'send-to', /your own/],
    ['an amount with seven decimals', OTHER_ADDRESS, '1.0000001', 'send-amount', /6 decimal places/],
    ['a decimal comma', OTHER_ADDRESS, '0,5', 'send-amount', /^Write decimals with a point, and thousands without a comma/],
    ['an amount in words', OTHER_ADDRESS, 'all of it', 'send-amount', /such as 12/],
    ['a negative amount', OTHER_ADDRESS, '-4', 'send-amount', /such as 12/],
    ['nothing', OTHER_ADDRESS, '0', 'send-amount', /more than nothing/],
    ['more than there is', OTHER_ADDRESS, '100', 'send-amount', /You can spend 100/]
  ]
  for (const [what, to, amount, field, message] of wrong) {
    test(`${what} is refused at its field and nothing is sent`, async () => {
      const { node } = await wallet()
      type('send-to', to)
      type('send-amount', amount)
      click('send-submit')
      expect(errorOf(field)).toMatch(message)
      expect(get(field).getAttribute('aria-invalid')).toBe('true')
      expect(all('send-confirm')).toHaveLength(0)
      expect(node.called('send')).toHaveLength(0)
      expect(value('send-to')).toBe(to)
    })
  }

  test('an empty form says what is missing', async () => {
    await wallet()
    expect(errorOf('send-to')).toBe('')
    click('send-submit')
    expect(errorOf('send-to')).toMatch(/Enter the address/)
    expect(errorOf('send-amount')).toMatch(/Enter how much/)
  })

  test('a fee below the minimum is refused', async () => {
    await wallet()
    type('send-fee', '0.0001')
    expect(errorOf('send-fee')).toBe('At least 0.001.')
  })

  test('max leaves room for the fee and for what is on its way', async () => {
    const { node } = await wallet()
    click('send-max')
    expect(value('send-amount')).toBe('99.999')
    node.show({ wallet: { ...node.current().wallet, pendingOut: 40n * CREDIT } })
    click('send-max')
    expect(value('send-amount')).toBe('59.999')
  })

  test('the confirmation shows everything, can be left, and sends exact grains', async () => {
    const { node } = await wallet()
    type('send-to', ` ${OTHER_ADDRESS} `)
    type('send-amount', '12.345678')
    click('send-submit')
    const dialog = await find('send-confirm')
    expect(dialog.getAttribute('role')).toBe('alertdialog')
    for (const part of [OTHER_ADDRESS, '12.345678 credits', '0.001 credits', '12.346678 credits', '87.653322 credits']) expect(dialog.textContent).toContain(part)
    click('send-confirm-no')
    await waitFor(() => { expect(all('send-confirm')).toHaveLength(0) })
    expect(node.called('send')).toHaveLength(0)
    expect(value('send-amount')).toBe('12.345678')
    click('send-submit')
    await find('send-confirm')
    click('send-confirm-yes')
    await waitFor(() => { expect(node.called('send')).toEqual([[OTHER_ADDRESS, 12_345_678n, 1_000n]]) })
    await waitFor(() => { expect(value('send-amount')).toBe('') })
    expect(text('toast')).toContain('on the way')
  })

  test('what the node refuses stands at its field, and the form keeps its content', async () => {
    const { node } = await wallet()
    node.answer('send', async () => ({ ok: false, errors: [{ field: 'amount', message: 'the account holds 3 credits' }, { field: 'nonce', message: 'nonce 4 is taken' }] }))
    type('send-to', OTHER_ADDRESS)
    type('send-amount', '5')
    click('send-submit')
    await find('send-confirm')
    click('send-confirm-yes')
    await waitFor(() => { expect(errorOf('send-amount')).toBe('the account holds 3 credits') })
    expect(text('send-error')).toContain('nonce 4 is taken')
    expect(value('send-to')).toBe(OTHER_ADDRESS)
    expect(value('send-amount')).toBe('5')
  })

  test('Escape closes the confirmation without sending', async () => {
    const { node } = await wallet()
    type('send-to', OTHER_ADDRESS)
    type('send-amount', '5')
    get('send-submit').focus()
    click('send-submit')
    await find('send-confirm')
    await waitFor(() => { expect(get('send-confirm').contains(document.activeElement)).toBe(true) })
    fireEvent.keyDown(get('send-confirm'), { key: 'Escape' })
    await waitFor(() => { expect(all('send-confirm')).toHaveLength(0) })
    expect(node.called('send')).toHaveLength(0)
    await waitFor(() => { expect(document.activeElement).toBe(get('send-submit')) })
  })
})

describe('balance and history', () => {
  test('balance, maturing and reasons are shown', async () => {
    await wallet(184_250_000n)
    expect(text('balance')).toBe('184.25')
    expect(get('balance').dataset['grains']).toBe('184250000')
    expect(text('maturing')).toBe('50.05')
    await waitFor(() => { expect(all('history-row').length).toBeGreaterThan(10) })
    for (const row of all('history-row')) expect(row.querySelector('.history-why')?.textContent?.length).toBeGreaterThan(20)
    expect(all('history-row')[0]?.textContent).toContain('+37.5')
    expect(all('history-row')[0]?.textContent).toContain('in 6 blocks')
  })

  test('the filter keeps its kind', async () => {
    await wallet()
    await waitFor(() => { expect(all('history-row').length).toBeGreaterThan(10) })
    get('history-filter-spent').click()
    await waitFor(() => { expect(all('history-row').map(r => r.dataset['kind'])).toEqual(['sent', 'job-posted']) })
  })

  test('what was spent is asked of the node: it is found below any number of rewards, and kept up to date', async () => {
    const { node } = await wallet()
    const reward = (i: number): HistoryEntry => ({ id: `r${i}`, timeMs: 1e12 + i, height: i, kind: 'block-reward', amount: 1n, reason: 'You mined it.' })
    const spent: HistoryEntry[] = [{ id: 's', timeMs: 1, height: 1, kind: 'sent', amount: -5n, reason: 'You sent it.' }]
    node.answer('history', async (limit, group) => group === 'spent' ? spent : Array.from({ length: limit }, (_, i) => reward(i)))
    get('history-filter-spent').click()
    await waitFor(() => { expect(all('history-row').map(r => r.dataset['kind'])).toEqual(['sent']) })
    spent.unshift({ ...spent[0]!, id: 't', timeMs: 2, kind: 'set-aside' })
    node.show({ height: 213 })
    await waitFor(() => { expect(all('history-row').map(r => r.dataset['kind'])).toEqual(['set-aside', 'sent']) })
  })

  test('many lines of one block and kind are one row with their sum, which opens and stays open', async () => {
    const { node } = await wallet()
    const share = (height: number, i: number): HistoryEntry => ({ id: `${height}-earned-${i}`, timeMs: 1e12 + height, height, block: hex(`block-${height}`), kind: 'contribution-subsidy', amount: 781_250n, reason: `Block ${height}: a slice you trained was sealed into round ${i}.` })
    let entries = [share(300, 0), share(300, 1), { ...share(300, 2), kind: 'block-reward' as const }, share(300, 3), share(299, 0)]
    node.answer('history', async () => entries)
    node.show({ height: 300 })
    await waitFor(() => { expect(all('history-row').map(r => [r.dataset['kind'], r.dataset['parts']])).toEqual([['contribution-subsidy', '3'], ['block-reward', '1'], ['contribution-subsidy', '1']]) })
    expect(all('history-row')[0]?.textContent).toMatch(/^3 training shares.*Block 300: 3 slices you trained were sealed.*\+2\.34375/)
    expect(all('history-row')[2]?.textContent).toMatch(/^Training share.*round 0/)
    expect(all('history-part')).toHaveLength(0)
    click('history-open')
    expect(all('history-part').map(p => p.textContent)).toEqual([0, 1, 3].map(i => `Block 300: a slice you trained was sealed into round ${i}.+0.78125`))
    entries = [share(301, 0), ...entries]
    node.show({ height: 301 })
    await waitFor(() => { expect(all('history-row')).toHaveLength(4) })
    expect(all('history-part')).toHaveLength(3)
    click('history-open')
    expect(all('history-part')).toHaveLength(0)
  })

  test('of a history that is cut off, the block at the cut is left out: its sum would be wrong', () => {
    const line = (height: number, i: number): HistoryEntry => ({ id: `${height}-${i}`, timeMs: 1, height, kind: 'contribution', amount: 5n, reason: '' })
    const entries = [line(9, 0), line(9, 1), line(8, 0)]
    expect(historyRows(entries, true).map(r => [r.parts.length, r.amount])).toEqual([[2, 10n]])
    expect(historyRows(entries, false).map(r => [r.parts.length, r.amount])).toEqual([[2, 10n], [1, 5n]])
    expect(historyRows(entries.slice(0, 2), true)).toHaveLength(1)
  })

  test('a new block brings the history up to date', async () => {
    const { node } = await wallet()
    await waitFor(() => { expect(node.called('history').length).toBeGreaterThan(0) })
    const before = node.called('history').length
    node.show({ height: 213 })
    await waitFor(() => { expect(node.called('history').length).toBeGreaterThan(before) })
  })

  test('without credits one is told how to earn them and what to do meanwhile', async () => {
    await open('wallet', { balance: 0n })
    expect((await find('how-to-earn')).textContent).toMatch(/Train with the network.*Meanwhile.*try the models/)
    await waitFor(() => { expect(document.body.textContent).toContain('Nothing yet') })
  })

  test('a tab that catches up says that the balance is an old one, not that there is nothing', async () => {
    const { node } = await open('wallet', { balance: 0n })
    node.show({ phase: { phase: 'syncing', stage: 'blocks', height: 12, target: 200, done: 0.06 } })
    expect((await find('wallet-behind')).textContent).toMatch(/as of block/)
    expect(document.querySelector('[data-testid="how-to-earn"]')).toBeNull()
  })
})

describe('tabs', () => {
  test('the tabs go by keyboard and keep the focus', async () => {
    await wallet()
    const tab = get('wallet-tab-send')
    tab.focus()
    fireEvent.keyDown(tab, { key: 'ArrowRight' })
    await waitFor(() => { expect(get('wallet-tab-receive').getAttribute('aria-selected')).toBe('true') })
    expect(window.location.hash).toBe('#/wallet/receive')
    expect(document.activeElement).toBe(get('wallet-tab-receive'))
  })
})

describe('entries', () => {
  test('are there after a look at another tab or another view', async () => {
    const { go } = await wallet()
    type('send-to', OTHER_ADDRESS)
    type('send-amount', '5')
    await go('wallet/keys')
    await waitFor(() => { expect(get('wallet-tab-keys').getAttribute('aria-selected')).toBe('true') })
    type('import-backup', 'cwkey1abc')
    await go('wallet/send')
    await waitFor(() => { expect(get('wallet-tab-send').getAttribute('aria-selected')).toBe('true') })
    expect(value('send-to')).toBe(OTHER_ADDRESS)
    expect(value('import-backup')).toBe('cwkey1abc')
    expect(get('import-backup').closest('[role="tabpanel"]')?.hasAttribute('hidden')).toBe(true)
    await go('train')
    await find('mine-toggle')
    await go('wallet/send')
    await find('send-form')
    expect(value('send-amount')).toBe('5')
  })
})

describe('keys', () => {
  test('a backup needs a long passphrase, typed twice alike', async () => {
    const { node } = await open('wallet/keys')
    await find('export-passphrase')
    type('export-passphrase', 'short')
    type('export-again', 'other')
    click('export-submit')
    expect(errorOf('export-passphrase')).toMatch(/At least 10/)
    expect(errorOf('export-again')).toMatch(/not the same/)
    expect(node.called('exportKey')).toHaveLength(0)
    type('export-passphrase', 'correct horse battery')
    type('export-again', 'correct horse battery')
    click('export-submit')
    const result = await find('export-result')
    expect(result.querySelector('textarea')?.value).toMatch(/^cwkey1/)
    expect(node.called('exportKey')).toEqual([['correct horse battery']])
    expect(value('export-passphrase')).toBe('')
  })

  test('a backup counts as made once it is saved, not when it is shown', async () => {
    const { node } = await open('wallet/keys')
    await find('export-passphrase')
    type('export-passphrase', 'correct horse battery')
    type('export-again', 'correct horse battery')
    click('export-submit')
    expect((await find('export-unsaved')).textContent).toMatch(/counts as made once you have saved or copied it/)
    expect(node.current().wallet.backedUp).toBe(false)
    URL.createObjectURL = () => 'blob:backup'
    click('export-save')
    await find('export-saved')
    await waitFor(() => { expect(node.current().wallet.backedUp).toBe(true) })
    expect(all('backed-up')).toHaveLength(1)
  })

  test('a backup that was made is there after a look at another view, saved or not', async () => {
    const { node, go } = await open('wallet/keys')
    await find('export-passphrase')
    type('export-passphrase', 'correct horse battery')
    type('export-again', 'correct horse battery')
    click('export-submit')
    const made = (await find('export-result')).querySelector('textarea')!.value
    await go('train')
    await find('mine-toggle')
    await go('wallet/keys')
    expect((await find('export-result')).querySelector('textarea')?.value).toBe(made)
    expect(all('export-unsaved')).toHaveLength(1)
    URL.createObjectURL = () => 'blob:backup'
    click('export-save')
    await find('export-saved')
    await go('train')
    await find('mine-toggle')
    await go('wallet/keys')
    expect((await find('export-saved')).textContent).toMatch(/^Saved/)
    expect(node.called('exportKey')).toHaveLength(1)
  })

  test('a key that was imported from a backup is not said to have been saved here', async () => {
    const { node } = await open('wallet/keys')
    node.show({ wallet: { ...node.current().wallet, backedUp: true } })
    expect((await find('backed-up')).textContent).toBe('There is a backup of this key: it was saved here, or the key was imported from it.')
  })

  test('a copy counts, by the button or by hand, if it is of all the text', async () => {
    const { node } = await open('wallet/keys')
    await find('export-passphrase')
    type('export-passphrase', 'correct horse battery')
    type('export-again', 'correct horse battery')
    click('export-submit')
    const area = (await find('export-result')).querySelector('textarea')!
    area.setSelectionRange(0, 5)
    fireEvent.copy(area)
    expect(node.called('backupSaved')).toHaveLength(0)
    area.setSelectionRange(0, area.value.length)
    fireEvent.copy(area)
    await waitFor(() => { expect(node.called('backupSaved')).toHaveLength(1) })
    Object.defineProperty(navigator, 'clipboard', { value: { writeText: async () => { throw new Error('denied') } }, configurable: true })
    click('export-copy')
    await find('toast')
    expect(node.called('backupSaved')).toHaveLength(1)
    Object.defineProperty(navigator, 'clipboard', { value: { writeText: async () => {} }, configurable: true })
    click('export-copy')
    await waitFor(() => { expect(node.called('backupSaved')).toHaveLength(2) })
  })

  test('a damaged backup is said at the backup, and the words go when it is changed', async () => {
    const { node } = await open('wallet/keys')
    node.answer('importKey', async () => ({ ok: false, errors: [{ field: 'backup', message: 'the backup is damaged: some of it was changed' }] }))
    await find('import-backup')
    type('import-backup', 'cwkey1abc')
    type('import-passphrase', 'whatever it was')
    click('import-submit')
    await find('import-confirm')
    click('import-confirm-yes')
    await waitFor(() => { expect(errorOf('import-backup')).toBe('The backup is damaged: some of it was changed.') })
    expect(errorOf('import-passphrase')).toBe('')
    type('import-backup', 'cwkey1abcd')
    expect(errorOf('import-backup')).toBe('')
  })

  test('an import warns of what is lost and says how to go on', async () => {
    let reloads = 0
    const { node } = await open('wallet/keys', { balance: 7n * CREDIT }, { reload: () => { reloads++ } })
    await find('import-backup')
    expect(get('import-submit').hasAttribute('disabled')).toBe(true)
    type('import-backup', 'cwkey1abc')
    type('import-passphrase', 'whatever it was')
    click('import-submit')
    expect((await find('import-confirm')).textContent).toMatch(/57\.05 credits.*no backup/)
    expect(node.called('importKey')).toHaveLength(0)
    click('import-confirm-yes')
    expect((await find('import-result')).textContent).toMatch(/Imported cw1.*: reload to use it/)
    expect(node.called('importKey')).toEqual([['cwkey1abc', 'whatever it was']])
    expect([value('import-backup'), value('import-passphrase')]).toEqual(['', ''])
    click('import-reload')
    expect(reloads).toBe(1)
  })

  test('what is no backup is refused before anybody is asked to give up the key', async () => {
    const { node } = await open('wallet/keys')
    node.answer('inspectBackup', async () => ({ ok: false, errors: [{ field: 'backup', message: 'this is not the backup of a Commonweight key' }] }))
    await find('import-backup')
    type('import-backup', ' rubbish ')
    type('import-passphrase', 'whatever it was')
    click('import-submit')
    await waitFor(() => { expect(errorOf('import-backup')).toBe('This is not the backup of a Commonweight key.') })
    expect(node.called('inspectBackup')).toEqual([['rubbish']])
    expect(all('import-confirm')).toHaveLength(0)
    expect(node.called('importKey')).toHaveLength(0)
  })

  test('a tab that has stopped offers nobody to earn credits', async () => {
    const { node } = await open('wallet', { balance: 0n })
    await find('how-to-earn')
    node.show({ phase: { phase: 'stopped', detail: 'the wallet of this browser was replaced by another one' } })
    await waitFor(() => { expect(all('how-to-earn')).toHaveLength(0) })
  })

  test('how long a passphrase must be stands there before one is typed', async () => {
    await open('wallet/keys')
    const hints = ((await find('export-passphrase')).getAttribute('aria-describedby') ?? '').split(' ').map(id => document.getElementById(id)?.textContent)
    expect(hints).toEqual(['At least 10 characters.'])
  })

  test('a wrong passphrase is said at the field', async () => {
    const { node } = await open('wallet/keys')
    node.answer('importKey', async () => ({ ok: false, errors: [{ field: 'passphrase', message: 'the passphrase does not open this backup' }] }))
    await find('import-backup')
    type('import-backup', 'cwkey1abc')
    type('import-passphrase', 'nope')
    click('import-submit')
    await find('import-confirm')
    click('import-confirm-yes')
    await waitFor(() => { expect(errorOf('import-passphrase')).toContain('The passphrase does not open this backup.') })
    expect(value('import-backup')).toBe('cwkey1abc')
  })
})

describe('a key that another one was put in the place of', () => {
  test('is not said to be on this device: what becomes of it is, and that it can still be saved', async () => {
    const { node, go } = await open('wallet/keys', { balance: 7n * CREDIT })
    await find('import-backup')
    expect(all('key-replaced')).toHaveLength(0)
    node.show({ phase: { phase: 'stopped', detail: 'the wallet of this browser was replaced by another one' }, wallet: { ...node.current().wallet, replaced: true } })
    expect((await find('key-replaced')).textContent).toMatch(/in its memory alone, and gone when it is reloaded.*no backup: make one here first/)
    type('import-backup', 'cwkey1abc')
    type('import-passphrase', 'whatever it was')
    click('import-submit')
    expect((await find('import-confirm')).textContent).toMatch(/The key that took the place of this tab’s is removed/)
    expect(get('import-confirm').textContent).not.toMatch(/It holds/)
    click('import-confirm-no')
    node.show({ wallet: { ...node.current().wallet, backedUp: true } })
    await waitFor(() => { expect(text('key-replaced')).not.toContain('no backup') })
    node.show({ wallet: { ...node.current().wallet, backedUp: false } })
    await go('train')
    expect((await find('backup-nudge')).textContent).toMatch(/on no disk any more.*reloaded or closed, you lose 57\.05 credits/)
    expect(document.body.textContent).not.toMatch(/kept on this device|live on this device/)
  })
})

describe('what was called sent and is not', () => {
  const taken = { id: 'a1', kind: 'transfer', why: 'taken', to: OTHER_ADDRESS, amount: 7n * CREDIT, fee: 1_000n } as const

  test('is shown as not sent, and can be sent again', async () => {
    const { node } = await wallet()
    expect(all('unsent')).toHaveLength(0)
    node.show({ wallet: { ...node.current().wallet, unsent: [taken] } })
    const note = await find('unsent')
    expect(note.getAttribute('role')).toBe('alert')
    expect(note.textContent).toMatch(/Not sent: the transfer of 7 credits to cw1.*Another transaction of this wallet took its place.*still yours/)
    click('unsent-again')
    await waitFor(() => { expect(node.called('sendAgain')).toEqual([['a1']]) })
    await waitFor(() => { expect(text('toast')).toContain('on its way again') })
  })

  test('says why it cannot be sent again, and stays', async () => {
    const { node } = await wallet()
    node.show({ wallet: { ...node.current().wallet, unsent: [taken] } })
    await find('unsent')
    node.answer('sendAgain', async () => ({ ok: false, errors: [{ field: 'amount', message: '2 credits are missing' }] }))
    click('unsent-again')
    expect((await find('unsent-error')).textContent).toBe('2 credits are missing.')
    click('unsent-forget')
    await waitFor(() => { expect(node.called('forgetUnsent')).toEqual([['a1']]) })
  })

  test('is not offered again where it may have been sent', async () => {
    const { node } = await wallet()
    node.show({ wallet: { ...node.current().wallet, unsent: [{ ...taken, why: 'unseen' }] } })
    expect((await find('unsent')).textContent).toMatch(/It is not known here whether the transfer of 7 credits/)
    expect(all('unsent-again')).toHaveLength(0)
    expect(all('unsent-forget')).toHaveLength(1)
  })

  test('is said to wait, with nothing to press, while the block that took its place may still be lost', async () => {
    const { node } = await wallet()
    node.show({ wallet: { ...node.current().wallet, unsent: [{ ...taken, why: 'ahead', blocks: 3 }] } })
    expect((await find('unsent')).textContent).toMatch(/Waits: the transfer of 7 credits.*ahead of it.*after 3 more blocks.*both could be paid/)
    expect([...all('unsent-again'), ...all('unsent-forget')]).toHaveLength(0)
    node.show({ wallet: { ...node.current().wallet, unsent: [{ ...taken, why: 'stuck', blocks: 1 }] } })
    await waitFor(() => { expect(text('unsent')).toMatch(/Waits: the transfer of 7 credits.*rules.*after one more block/) })
    expect([...all('unsent-again'), ...all('unsent-forget')]).toHaveLength(0)
    node.show({ wallet: { ...node.current().wallet, unsent: [{ ...taken, why: 'gap' }] } })
    await waitFor(() => { expect(text('unsent')).toMatch(/Waits: the transfer of 7 credits.*earlier transaction of this wallet, which is missing.*both would be paid/) })
    expect([...all('unsent-again'), ...all('unsent-forget')]).toHaveLength(0)
  })

  test('is not offered again where another one has paid the same', async () => {
    const { node } = await wallet()
    node.show({ wallet: { ...node.current().wallet, unsent: [{ ...taken, why: 'same' }] } })
    expect((await find('unsent')).textContent).toMatch(/Not sent: the transfer of 7 credits.*nothing to send again/)
    expect(all('unsent-again')).toHaveLength(0)
    expect(all('unsent-forget')).toHaveLength(1)
  })
})

describe('the others on another chain', () => {
  test('is said on every page, with what to do, as long as the node sees it', async () => {
    const { node } = await open('blocks')
    expect(all('parted')).toHaveLength(0)
    node.show({ parted: { peers: 2, of: 3, below: 1_280 } })
    const note = await find('parted')
    expect(note.getAttribute('role')).toBe('alert')
    expect(note.textContent).toMatch(/2 of 3 tabs that this one has dialled say that they follow a chain with more work.*before block 1,280.*may also be a lie.*back up the key.*erase everything/)
    note.querySelector('button')!.click()
    await waitFor(() => { expect(location.hash).toBe('#/wallet/keys') })
    node.show({ parted: { peers: 1, of: 1, below: 80 } })
    await waitFor(() => { expect(text('parted')).toMatch(/1 of 1 tab that this one has dialled says that it follows/) })
    node.show({ parted: undefined })
    await waitFor(() => { expect(all('parted')).toHaveLength(0) })
  })
})

describe('one key on two devices', () => {
  test('is warned of on every page as long as the node sees it', async () => {
    const { node } = await open('train')
    expect(all('elsewhere')).toHaveLength(0)
    node.show({ elsewhereAt: 5 })
    const note = await find('elsewhere')
    expect(note.getAttribute('role')).toBe('alert')
    expect(note.textContent).toMatch(/also in use elsewhere.*one device at a time/)
    node.show({ elsewhereAt: undefined })
    await waitFor(() => { expect(all('elsewhere')).toHaveLength(0) })
    // Beside a tab that has stopped it says nothing any more, and hides why that one has.
    node.show({ elsewhereAt: 5, phase: { phase: 'stopped', detail: 'everything of this site was erased in another tab' } })
    await waitFor(() => { expect(text('phase-note')).toMatch(/Everything of this site was erased in another tab\. Reload/) })
    expect(all('elsewhere')).toHaveLength(0)
  })

  test('is spoken of where a key is imported, before it is and after', async () => {
    await open('wallet/keys')
    await find('import-backup')
    expect(document.body.textContent).toContain('A key must be used on one device at a time')
    type('import-backup', 'cwkey1something')
    type('import-passphrase', 'a long passphrase')
    click('import-submit')
    expect((await find('import-confirm')).textContent).toContain('one device at a time')
    click('import-confirm-yes')
    expect((await find('import-result')).textContent).toContain('Close this app on the device that the backup is from')
  })
})

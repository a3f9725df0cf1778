import { describe, expect, test } from 'vitest'
import { makeView, makeBlock } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, click, find, get, open, text, waitFor } from './support.tsx'

const BLOCK = hex('block-211')

async function openBlock (): Promise<Awaited<ReturnType<typeof open>>> {
  const opened = await open(`blocks/${BLOCK}`)
  await find('block-detail')
  return opened
}

describe('replay', () => {
  test('a match is shown with both hashes', async () => {
    const { node } = await openBlock()
    click('replay-button')
    const result = await find('replay-result')
    expect(result.dataset['verdict']).toBe('ok')
    expect(result.textContent).toMatch(/matches, bit for bit.*128 steps redone in 71 ms on the wasm backend/)
    expect(result.textContent?.split(hex('result-211')).length).toBe(3)
    expect(node.called('replayBlock')).toEqual([[BLOCK]])
  })

  test('a mismatch names the reason and marks where the hashes part', async () => {
    const { node } = await openBlock()
    node.answer('replayBlock', async hash => ({ hash, ok: false, claimedResult: 'aa11', computedResult: 'aa22', claimedPayload: 'cc', computedPayload: 'cc', backend: 'reference', steps: 128, elapsedMs: 9_000, reason: 'wrong-result' }))
    click('replay-button')
    const result = await find('replay-result')
    expect(result.dataset['verdict']).toBe('mismatch')
    expect(result.textContent).toMatch(/does not match.*wrong-result/)
    expect(result.querySelector('mark')?.textContent).toBe('22')
    expect([...result.querySelectorAll('.badge')].map(b => b.textContent)).toEqual(['differs', 'same'])
  })

  test('what cannot be replayed is neither right nor wrong', async () => {
    const { node } = await openBlock()
    node.answer('replayBlock', async hash => ({ hash, ok: false, claimedResult: 'aa', claimedPayload: 'bb', backend: 'wasm', steps: 0, elapsedMs: 1, reason: 'the state before this work is pruned' }))
    click('replay-button')
    const result = await find('replay-result')
    expect(result.dataset['verdict']).toBe('unavailable')
    expect(result.textContent).toMatch(/cannot be replayed.*pruned.*says nothing against the block/)
  })

  test('a broken replay can be tried again', async () => {
    const { node } = await openBlock()
    node.answer('replayBlock', async () => { throw new Error('the worker ended') })
    click('replay-button')
    expect((await find('replay-result')).textContent).toContain('the worker ended')
    expect(get('replay-button').hasAttribute('disabled')).toBe(false)
  })
})

describe('explorer', () => {
  test('the credits issued are given with two decimals, so that a phone shows them on one line', async () => {
    const { node } = await open('blocks')
    await find('issued')
    node.show({ issued: 12_255_478_491n })
    expect(text('issued')).toBe('12,255.47')
  })

  test('a fork is marked and can be filtered', async () => {
    await open('blocks')
    await waitFor(() => { expect(all('block-row').some(r => r.dataset['main'] === 'false')).toBe(true) })
    const fork = all('block-row').find(r => r.dataset['main'] === 'false')
    expect(fork?.textContent).toContain('fork')
  })

  test('a tab that joined by a ledger says what it has checked and what not', async () => {
    await open('blocks', { joined: { headers: 10_000, signatures: 498, height: 9_952, bytes: 10_519_581, replayed: 24 } })
    await find('joined')
    expect(text('joined')).toMatch(/10,000 headers linked.*498 signatures.*ledger of block 9,952 \(.*\) was fetched and fits.*last 24 blocks were replayed.*Not fetched.*9,952 blocks/)
  })

  test('a tab that has applied every block says nothing of the kind', async () => {
    await open('blocks')
    await find('blocks-older')
    expect(all('joined')).toHaveLength(0)
  })

  test('older blocks are loaded below the oldest shown, until there are none', async () => {
    const { node } = await open('blocks', { blocks: 60 })
    await find('blocks-older')
    const before = all('block-row').length
    click('blocks-older')
    await waitFor(() => { expect(all('block-row').length).toBeGreaterThan(before) })
    expect(node.called('blocks').at(-1)?.[1]).toBe(174)
    await waitFor(() => { expect(all('blocks-older')).toHaveLength(0) })
    const first = Math.min(...all('block-row').map(r => Number(r.dataset['height'])))
    expect(text('blocks-end')).toMatch(first <= 1 ? /chain begins here/ : /as far back/)
  })

  test('what is filtered does not end where the chain begins', async () => {
    const { node } = await open('blocks', { blocks: 6 })
    node.emit({ type: 'block', block: makeBlock(1, Date.now()) })
    node.emit({ type: 'block', block: makeBlock(212, Date.now(), { hash: hex('fork'), onMainChain: false }) })
    await waitFor(() => { expect(text('blocks-end')).toBe('The chain begins here.') })
    get('blocks-filter-forks').click()
    await waitFor(() => { expect(all('block-row')).toHaveLength(1) })
    expect(text('blocks-end')).toBe('All blocks that this tab keeps have been looked through.')
  })

  test('a block that is not held says so', async () => {
    await open(`blocks/${hex('nowhere')}`)
    await waitFor(() => { expect(document.body.textContent).toContain('does not hold that block') })
  })
})

describe('network', () => {
  test('peers are in the picture and in the table with the same facts', async () => {
    await open('network')
    await find('peer-map')
    expect(get('peer-map').querySelectorAll('g.peer')).toHaveLength(9)
    expect(all('peer-row')).toHaveLength(8)
    const relayed = all('peer-row').filter(r => r.textContent?.includes('through a relay'))
    expect(relayed).toHaveLength(get('peer-map').querySelectorAll('line.link-relay').length)
  })

  test('refusals are shown with the name of the rule, bans with the reason', async () => {
    const { node } = await open('network')
    await find('refusals')
    expect(all('refusal-row').map(r => r.querySelector('.reason')?.textContent)).toEqual(['wrong-result', 'overspend', 'oversized'])
    expect(text('ban-row')).toContain('wrong-result: replay gives another state')
    node.show({ refusals: [{ timeMs: Date.now(), what: 'seal', reason: 'no-quorum', detail: '3 of 4 signatures' }] })
    await waitFor(() => { expect(text('refusal-row')).toMatch(/seal.*no-quorum.*3 of 4/) })
  })

  test('servers that are gone are named, and nobody is told it is the end', async () => {
    await open('network', {}, {}, node => { const v = makeView(); node.answer('view', async () => ({ ...v, net: { ...v.net, relays: [{ address: '/dns4/x', connected: false }] } })) })
    expect((await find('relay-row')).dataset['connected']).toBe('false')
    expect(text('relays')).toBe('0 of 1')
    expect(document.body.textContent).toContain('goes on without it')
  })
})

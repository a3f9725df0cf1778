/** The page of a report: every kind of report, each figure, hostile words, nothing fetched or run. */
import { describe, expect, test } from 'vitest'
import { renderReport } from './html.ts'
import { sampleSweep, sampleWorld } from './sample.ts'
import { table } from './svg.ts'
import { tableText } from './text.ts'
import type { ForkWindow, Report, WorldReport } from './types.ts'

const bare: WorldReport = {
  kind: 'world', command: 'npm run sim', seed: '0', scenario: 'none', options: {}, nodes: 0, attackers: {}, virtualMs: 0, wallMs: 0, events: 0, violations: [],
  blocksMain: 0, blocksOrphaned: 0, forkRate: 0, propagationMs: { p50: 0, p95: 0, max: 0 }, bytesPerSecond: { p50: 0, p95: 0, max: 0 }, diskBytes: { p50: 0, p95: 0, max: 0 }, tabs: [], moments: []
}

const REPORTS: ReadonlyArray<readonly [string, Report]> = [
  ['a world', sampleWorld()],
  ['a world that never agreed', sampleWorld(10, { agreedAtMs: undefined })],
  ['a world without healing or windows', sampleWorld(10, { healedAtMs: undefined, agreedAtMs: undefined, forksOverTime: undefined, checked: undefined })],
  ['a world in which nothing happened', bare],
  ['a sweep', sampleSweep()],
  ['a sweep of one world', { ...sampleSweep(), points: [sampleWorld()] }],
  ['a sweep of unlike worlds', { ...sampleSweep(), unlike: true, tables: [{ caption: 'What was got', head: ['enemy', 'what'], prose: true, rows: [['flood', 'A long sentence.']] }] }],
  ['a sweep of nothing', { ...sampleSweep(), points: [] }],
  ['a sweep in which nothing happened', { ...sampleSweep(), points: [bare, { ...bare, nodes: 3 }] }]
]

/** What a browser takes for elements; the page is written without optional tags, scripts and comments. */
function elements (page: string): string[] {
  const open: string[] = []
  const names: string[] = []
  const style = /<style>[^<]*<\/style>/
  expect(page).toMatch(style)
  for (const [, slash, name, , empty] of page.replace(style, '').matchAll(/<(\/?)([a-z][a-z0-9]*)((?:\s[a-z-]+(?::[a-z]+)?(?:="[^"<]*")?)*)\s*(\/?)>/gi)) {
    names.push(name)
    if (slash === '/') expect(open.pop()).toBe(name)
    else if (empty !== '/' && !['meta', 'link'].includes(name)) open.push(name)
  }
  expect(open).toEqual([])
  // Every < has been taken for a tag, but that of the doctype.
  expect((page.replace(style, '').match(/</g) ?? []).length - 1).toBe(names.length)
  return names
}

describe.each(REPORTS)('%s', (_, report) => {
  const page = renderReport(report)

  test('is one closed page without scripts, addresses or figures that are none', () => {
    const names = elements(page)
    for (const banned of ['script', 'iframe', 'object', 'img', 'a', 'form']) expect(names).not.toContain(banned)
    expect(page).not.toMatch(/(?:src|href)="(?!data:,")|url\(|@import|https?:/)
    expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/)
  })

  test('every chart has a name, words, and its figures in a table', () => {
    const charts = [...page.matchAll(/<section class="card">.*?<\/section>/gs)].map(m => m[0])
    for (const card of charts) {
      const [, id] = card.match(/role="img" aria-labelledby="([a-z]+)-title [a-z]+-words"/)!
      expect(card).toContain(`<title id="${id}-title">`)
      expect(card).toContain(`<desc id="${id}-words">`)
      expect(card).toMatch(/<table><caption>/)
    }
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(m => m[1])
    expect(new Set(ids).size).toBe(ids.length)
  })
})

const cards = (page: string): string[] => [...page.matchAll(/<section class="card"><h2>([^<]+)</g)].map(m => m[1])

test('each figure is there', () => {
  expect(cards(renderReport(sampleWorld()))).toEqual(['Fork rate', 'Convergence', 'Reward against work', 'Traffic of a tab', 'Propagation', 'Disk of a tab'])
  expect(cards(renderReport(sampleSweep()))).toEqual(['Fork rate against N', 'Propagation', 'Bandwidth against N', 'Reward against work, 200 nodes', 'Convergence after healing', 'Disk against N'])
})

test('nothing is drawn against N where there is one N, or worlds that are no series', () => {
  const one = { ...sampleSweep(), points: [sampleWorld(12), sampleWorld(12, { seed: '18' })] }
  expect(renderReport(one)).toContain('Of one of the 2 worlds, seed 17. Those who are not honest')
  expect(renderReport(sampleSweep())).toContain('nodes (N)')
  expect(renderReport(one)).not.toContain('nodes (N)')
  expect(cards(renderReport(one)).join()).not.toContain('against N')
  const apart = renderReport({ ...sampleSweep(), unlike: true, points: ['flood', 'calm'].map(scenario => sampleWorld(9, { scenario })) })
  expect(cards(apart)).toEqual(['Reward against work: flood', 'Reward against work: calm'])
})

test('what happened stands apart from what was drawn', () => {
  const page = renderReport(sampleWorld(5, { counts: { 'struck: hide': 479 } }))
  const [drawn, happened] = ['Options of this seed', 'What happened'].map(title => page.match(new RegExp(`<summary>${title}.*?</details>`, 's'))![0])
  expect(drawn).toContain('lost packets, share')
  expect(drawn).not.toContain('479')
  expect(happened).toContain('479')
})

test('a column of sentences begins on the left, on the page and in a terminal', () => {
  const words = { caption: 'c', head: ['enemy', 'what'], prose: true, rows: [['flood', 'a long sentence of many words'], ['b', 'short']] } as const
  expect(table(words)).toContain('<table class="prose">')
  expect(tableText(words).split('\n')).toEqual(['c', 'enemy  what', '-----  ----', 'flood  a long sentence of many words', 'b      short'])
})

test('figures are those of the report', () => {
  const page = renderReport(sampleWorld())
  for (const words of ['9 valid blocks beside 176', '0.0511 forks per block, with 95 % between 0.0234 and 0.0971', 'half within 0.64 s', '95 of 100 within 2.31 s', 'Healed after 17 min 30 s; 45 s later all honest tabs', 'at most 10.8 kB/s', '>healed<', '>all agree<', 'lost packets, share', '4 selfish, 4 lazy', '1,204,331', 'npm run sim -- --nodes 40 --hours 0.5 --seed 17']) expect(page).toContain(words)
  const sweep = renderReport(sampleSweep())
  for (const words of ['median if it grew like log N', 'at 200 nodes the median is 1 times that', '<td>0.017</td>', '20 to 200']) expect(sweep).toContain(words)
})

test('a mark lies where its figure is: twice the share is the square root of two further on', () => {
  const tab = (workShare: number, i: number) => ({ tab: i, device: 'phone', role: 'honest', workShare, blockShare: 0, rewardShare: workShare, bytesPerSecond: 1 })
  const page = renderReport(sampleWorld(2, { tabs: [0, 0.25, 0.5].map(tab) }))
  const card = page.match(/Reward against work.*?<\/figure>/s)![0]
  const [a, b, c] = [...card.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(m => Number(m[1]))
  expect((c - a) / (b - a)).toBeCloseTo(Math.SQRT2, 2)
})

describe('the verdict', () => {
  test('of a clean run says who looked', () => {
    const page = renderReport(sampleWorld())
    expect(page).toContain('No rule was broken')
    expect(page).toContain('2 checkers looked on')
    expect(page).toContain('Supply is conserved at every block.')
  })

  test('of a run without checkers claims nothing', () => {
    expect(renderReport(sampleWorld(5, { checked: undefined }))).toContain('Nothing was checked')
    const half = { ...sampleSweep(), points: [sampleWorld(5), sampleWorld(6, { checked: undefined })] }
    expect(renderReport(half)).toContain('Nothing was checked')
  })

  test('of a bad run names rule, time and seed, and counts what it leaves out', () => {
    const violations = Array.from({ length: 203 }, (_, i) => ({ checker: 'supply', detail: `block ${i}`, atMs: 61_000 }))
    const page = renderReport(sampleWorld(5, { violations }))
    expect(page).toContain('Rules were broken 203 times')
    expect(page).toContain('<b>supply</b> at 1 min 1 s: block 0<')
    expect(page).toContain('3 more are in the JSON')
    expect(page).not.toContain('No rule was broken')
    // What does all worlds again does that one; where it has a line of its own, that is the one to type.
    const point = sampleWorld(5, { seed: 'seventeen', command: sampleSweep().command, violations: violations.slice(0, 1) })
    expect(renderReport({ ...sampleSweep(), points: [point] })).toContain('at 1 min 1 s with seed seventeen, 5 nodes: block 0')
    expect(renderReport({ ...sampleSweep(), points: [{ ...point, command: 'npm run sim -- --seed seventeen' }] })).toContain('at 1 min 1 s in npm run sim -- --seed seventeen: block 0')
  })
})

test('where no block of the chain was made there is no rate of forks, whatever lies beside it', () => {
  const windows = [[2, 1], [0, 1], [0, 0]].map(([blocksMain, blocksOrphaned], i): ForkWindow => ({ fromMs: i * 60_000, toMs: (i + 1) * 60_000, blocksMain, blocksOrphaned }))
  const page = renderReport(sampleWorld(5, { forksOverTime: windows }))
  for (const cells of ['<td>2</td><td>1</td><td>0.5</td>', '<td>0</td><td>1</td><td>–</td><td>–</td>', '<td>0</td><td>0</td><td>–</td><td>–</td>']) expect(page).toContain(cells)
  const figure = page.match(/Fork rate.*?<\/figure>/s)![0]
  // One is the key's.
  expect(figure.match(/<circle /g)).toHaveLength(2)
})

test('what a scenario was run for stands above the worlds, with the digits that matter', () => {
  const tables = [{ caption: 'The share of a pool', head: ['pool', 'of the blocks'], rows: [['paper', '27.3 %']], notes: ['What it means.'] }]
  for (const report of [sampleWorld(5, { tables, options: { gamma: 0.123456789 } }), { ...sampleSweep(), tables }]) {
    const page = renderReport(report)
    elements(page)
    expect(page.indexOf('27.3 %')).toBeGreaterThan(0)
    expect(page.indexOf('27.3 %')).toBeLessThan(page.indexOf('Do it again'))
    expect(page).toContain('What it means.')
    expect(page).not.toContain('0.123456789')
  }
})

test('hostile words stay words', () => {
  const evil = '</title></style><script>alert(1)</script><img src=x onerror="alert(2)">\'&\u0000\u001b'
  const world = sampleWorld(3, {
    command: evil, seed: evil, scenario: evil, options: { [evil]: evil }, attackers: { [evil]: 1 }, violations: [{ checker: evil, detail: evil, atMs: 0 }], checked: [evil],
    tabs: sampleWorld(3).tabs.map(t => ({ ...t, role: evil, device: evil }))
  })
  for (const report of [world, { kind: 'sweep', command: evil, scenario: evil, points: [world, world] }] as const) {
    const page = renderReport(report)
    const names = elements(page)
    expect(names).not.toContain('script')
    expect(names).not.toContain('img')
    expect(page).toContain('&lt;script&gt;alert(1)')
    expect(page).not.toMatch(/[\u0000\u001b]/)
    expect(page.match(/<\/title>/g)!.length).toBe(page.match(/<title[ >]/g)!.length)
  }
})

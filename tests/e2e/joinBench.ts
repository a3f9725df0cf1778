/**
 * `npm run bench:join`: a tab that holds a long chain with a large ledger, and a fresh one that joins it
 * by the ledger of a recent block, in a real browser. Times count from the fresh tab's navigation. The
 * chain is made first, which takes minutes, and kept for the next run.
 */
import { parseArgs } from 'node:util'
import { buildPage } from '../../scripts/build.mjs'
import { ensureChromium } from '../../scripts/ensure-chromium.mjs'
import type { JoinedView } from '../../src/bridge/api.ts'
import { number, runCommand, say } from '../../src/cli/arguments.ts'
import { TEST } from '../../src/core/params.ts'
import { longChainFile } from '../bench/longChain.ts'
import { Stage, Tab, until } from './harness.ts'
import { tabWithChain } from './longChainTab.ts'

/** New accounts a block: 10,000 blocks end with ten megabytes of ledger. */
const TRANSFERS = 24

const USAGE = `npm run bench:join -- [--blocks 10000] [--json]

  --blocks N  of the chain that is joined (300..20000), ${TRANSFERS} new accounts in each
  --json      end with one line of JSON on stdout

The chain is made first, once (three minutes for 10,000 blocks), and kept in the folder for temporary files.`
const SETTLE_MS = 120_000
const WINDOW_MS = 3_000
const PATIENCE_MS = 300_000

interface JoinVerdict {
  readonly blocks: number
  readonly ledgerBytes: number
  /** Until the page was there, and until the wallet and the head were right and the tab might send and mine. */
  readonly secondsToPage: number
  readonly secondsToReady: number
  /** When each phase was first seen, seconds. */
  readonly phases: Readonly<Record<string, number>>
  readonly joined: JoinedView | null
  /** What the page says of it. */
  readonly words: string
  readonly ok: boolean
  readonly failures: readonly string[]
}

async function join (blocks: number): Promise<JoinVerdict> {
  const file = await longChainFile({ params: TEST, blocks, transfersPerBlock: TRANSFERS }, say)
  const stage = await Stage.open()
  try {
    const old = await tabWithChain(stage, 'old', file)
    await old.until('the old tab at the head of its chain', SETTLE_MS, v => v.height === blocks)
    await until('the old tab to share its ledger', SETTLE_MS, async () => await old.page.evaluate(async () => (await window.commonweight!.library()).items.some(i => i.note?.kind === 'snapshot' && i.state === 'complete')))
    const { head } = await old.view()
    say(`a tab holds ${blocks} blocks and shares its ledger; another opens the page`)

    // The window is the browser's own, and is open before somebody enters an address.
    const fresh = new Tab('fresh', await stage.page('fresh'))
    await new Promise(resolve => { setTimeout(resolve, WINDOW_MS) })
    const from = performance.now()
    const seconds = (): number => Math.round(performance.now() - from) / 1000
    await fresh.goto(stage.url)
    const secondsToPage = seconds()
    const phases: Record<string, number> = {}
    const view = await fresh.until('it is ready', PATIENCE_MS, v => {
      phases[v.phase.phase === 'syncing' ? v.phase.stage : v.phase.phase] ??= seconds()
      return v.phase.phase === 'ready' && v.height >= blocks ? v : undefined
    })
    const secondsToReady = seconds()
    await fresh.show('blocks')
    await fresh.element('joined').waitFor({ timeout: 10_000 }).catch(() => {})
    const words = await fresh.element('joined').innerText({ timeout: 1_000 }).catch(() => '')

    const failures: string[] = []
    if (view.head !== head) failures.push('its head is another')
    if (view.joined === undefined) failures.push('it did not join by a ledger')
    if (view.refusals.length > 0) failures.push(`it refused ${view.refusals.map(r => r.reason).join(', ')}`)
    if (words === '') failures.push('the page does not say what was checked')
    return { blocks, ledgerBytes: view.joined?.bytes ?? 0, secondsToPage, secondsToReady, phases, joined: view.joined ?? null, words, ok: failures.length === 0, failures }
  } finally {
    await stage.close()
  }
}

async function main (): Promise<number> {
  const { values } = parseArgs({ options: { blocks: { type: 'string', default: '10000' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } } })
  if (values.help) { process.stdout.write(`${USAGE}\n`); return 0 }
  const blocks = number('blocks', values.blocks, 300, 20_000, true)!
  await buildPage()
  await ensureChromium()
  const v = await join(blocks)
  for (const f of v.failures) say(`NOT OK: ${f}`)
  process.stdout.write(values.json ? `${JSON.stringify(v)}\n` : `${v.ok ? 'ok' : 'NOT OK'}: ready ${v.secondsToReady.toFixed(1)} s after the address was opened, ${v.secondsToPage.toFixed(1)} s of them for the page\n${v.words}\n`)
  return v.ok ? 0 : 1
}

await runCommand(USAGE, main)

/**
 * The app on a scripted node, for work on the views: `npm run dev`, then /tests/ui/dev.html?scene=ready.
 * `&live` makes blocks and measurements come in. Not part of the build.
 */
import type { NodePhase } from '../../src/bridge/api.ts'
import { renderApp } from '../../src/ui/app.tsx'
import { renderBootError, renderUnsupported } from '../../src/ui/boot.tsx'
import { BENCHMARK, createFakeNode, makeBlock, PAID_JOB, type FakeNode, type Options } from './fakeNode.ts'
import { hex } from './hex.ts'

const SCENES: Record<string, Options> = {
  ready: {},
  fresh: { balance: 0n, mining: false, peers: 3 },
  alone: { phase: { phase: 'alone' }, peers: 0, balance: 0n },
  crowd: { peers: 40 },
  colour: { colour: true },
  'library-empty': { library: { items: 0 } },
  'library-memory': { library: { store: 'memory', storeProblem: 'This browser gives a private window no file system' } },
  syncing: { phase: { phase: 'syncing', height: 131, target: 212, stage: 'replay', done: 0.6 }, mining: false },
  'storage-full': { phase: { phase: 'storage-failed', kind: 'full', detail: 'QuotaExceededError' } satisfies NodePhase },
  stopped: {},
  'newer-version': { phase: { phase: 'newer-version', version: 2 } }
}

const root = document.getElementById('root') as HTMLElement
const query = new URLSearchParams(location.search)
const scene = query.get('scene') ?? 'ready'
if (scene === 'unsupported') renderUnsupported(root, ['insecure-context', 'no-webrtc'])
else if (scene === 'boot-error') renderBootError(root, new Error('The node worker did not answer within 20 s.'))
else {
  const node = createFakeNode(SCENES[scene] ?? {})
  renderApp(root, { node, version: '0.1.0', licenceUrl: 'LICENSE', persist: async () => true, erase: async () => {}, inviteLink: () => 'https://commonweight.example/#/train' })
  if (scene === 'stopped') void node.stop()
  if (query.has('live')) run(node)
}

function run (node: FakeNode): void {
  let height = 212
  setInterval(() => {
    height++
    const block = makeBlock(height, Date.now(), { timeMs: Date.now(), hash: hex(`block-${height}`), checked: 'pending' })
    node.emit({ type: 'block', block })
    node.show({ height, head: block.hash, headTimeMs: Date.now() })
    setTimeout(() => { node.emit({ type: 'block', block: { ...block, checked: block.mine ? 'own' : 'replayed' } }) }, 900)
    for (const job of [BENCHMARK, PAID_JOB]) node.emit({ type: 'curve', point: { job, round: height, timeMs: Date.now(), samples: 2_000, accuracy: 0.92 + Math.sin(height) * 0.01, loss: 0.3 } })
    const { items } = node.currentLibrary()
    node.showLibrary({ items: items.map((i, at) => i.state === 'downloading' ? { ...i, downPerSecond: 3_400_000 + Math.sin(height * (at + 1)) * 900_000, upPerSecond: 800_000 + Math.cos(height) * 300_000 } : i) })
    node.emit({ type: 'log', entry: { timeMs: Date.now(), level: 'info', area: 'chain', text: `block ${height}` } })
  }, 3_000)
}

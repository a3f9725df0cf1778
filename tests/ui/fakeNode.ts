/**
 * A scripted node for the views: a believable network in memory, every call recorded, every answer
 * replaceable. Nothing here is random: the same script shows the same page.
 */
import type {
  BlockView, CurvePoint, DatasetPreview, HistoryEntry, HistoryGroup, JobCheck, JobDraft, JobView, LibraryView, LogEntry, NodeApi, NodeEvent, NodeView, Outcome, PeerNode, Prediction, RecordShape, ReplayView
} from '../../src/bridge/api.ts'
import { formatAddress } from '../../src/core/codec/address.ts'
import type { DataRef } from '../../src/core/codec/jobSpec.ts'
import { describeModel } from '../../src/core/training/architectureJson.ts'
import { sliceCost } from '../../src/core/training/cost.ts'
import { parseJobJson, templateErrors, toSpec } from '../../src/core/training/jobJson.ts'
import { shapeOf } from '../../src/core/training/shape.ts'
import { fakeLibrary, type LibraryOptions } from './fakeLibrary.ts'
import { atRest } from '../../src/node/views.ts'
import { hex } from './hex.ts'

export const CREDIT = 1_000_000n

const keyBytes = (text: string): Uint8Array => Uint8Array.from(hex(text).match(/../g) ?? [], b => parseInt(b, 16))

export const ME = hex('me')
export const MY_ADDRESS = formatAddress(keyBytes('me'))
export const OTHER_ADDRESS = formatAddress(keyBytes('miner-2'))
const MINERS = [ME, ...[1, 2, 3, 4, 5, 6].map(i => hex(`miner-${i}`))]
export const BENCHMARK = hex('benchmark')
export const PAID_JOB = hex('job-letters')
export const MY_JOB = hex('job-iris')

export interface Options {
  readonly peers?: number
  readonly blocks?: number
  readonly balance?: bigint
  readonly phase?: NodeView['phase']
  readonly joined?: NodeView['joined']
  readonly mining?: boolean
  readonly now?: number
  readonly library?: LibraryOptions
  /** Data sets and the paid job are of colour pictures, 3 x 32 x 32. */
  readonly colour?: boolean
}

export function makePeers (n: number): PeerNode[] {
  const peers: PeerNode[] = Array.from({ length: n }, (_, i) => ({
    id: `12D3KooW${hex(`peer-${i}`, 44)}`, link: i % 4 === 3 ? 'relay' : 'webrtc', score: i === 5 ? -12.5 : 4 + (i * 7) % 23, height: 212 - (i === 2 ? 3 : 0), rttMs: 18 + (i * 37) % 160
  }))
  return [...peers, { id: `12D3KooW${hex('server', 44)}`, link: 'server', score: 0, rttMs: 9 }]
}

const DIGIT: RecordShape = { channels: 1, height: 28, width: 28 }
const COLOUR: RecordShape = { channels: 3, height: 32, width: 32 }

export function makeJobs (colour = false): JobView[] {
  const input = colour ? COLOUR : DIGIT
  const common = { batch: 32, stepsPerSlice: 128, dataHeld: 1 }
  return [
    { ...common, id: BENCHMARK, name: 'Benchmark: generated digits', status: 'active', benchmark: true, mine: false, model: '784 – 128 – 64 – 10', input: { channels: 784, height: 1, width: 1 }, parameters: 109_386, round: 143, rounds: 100_000, escrow: 0n, escrowLeft: 0n, pricePerContribution: 0n, burn: 0n, features: 784, classes: 10, trainRecords: 20_000, testRecords: 2_000, dataBytes: 17_248_000, stateHash: hex('state-b'), accuracy: 0.9412, loss: 0.2713 },
    { ...common, id: PAID_JOB, name: 'Handwritten letters', status: 'active', benchmark: false, mine: false, owner: MINERS[3], model: `${input.channels}×${input.height}×${input.width} – conv 16 3×3 – max 2 – conv 32 3×3 – max 2 – conv 32 3×3 – conv 32 3×3 – add – max 2 – 64 – 26`, input, parameters: 44_058, round: 61, rounds: 400, escrow: 120n * CREDIT, escrowLeft: 84_650_000n, pricePerContribution: 50_000n, burn: 2n * CREDIT, deadline: 4_300, features: input.channels * input.height * input.width, classes: 26, trainRecords: 60_000, testRecords: 6_000, dataBytes: 51_744_000, stateHash: hex('state-l'), accuracy: 0.803, loss: 0.71 },
    { ...common, id: MY_JOB, name: 'Which flower is it?', status: 'waiting-data', benchmark: false, mine: true, owner: ME, model: '4 – 16 – 3', input: { channels: 4, height: 1, width: 1 }, parameters: 131, round: 0, rounds: 120, escrow: 10n * CREDIT, escrowLeft: 10n * CREDIT, pricePerContribution: 20_000n, burn: 500_000n, deadline: 5_100, features: 4, classes: 3, trainRecords: 120, testRecords: 30, dataBytes: 600, stateHash: hex('state-i') }
  ]
}

export function makeView (o: Options = {}): NodeView {
  const now = o.now ?? Date.now()
  const balance = o.balance ?? 184_250_000n
  const peers = makePeers(o.peers ?? 7)
  const on = o.mining ?? true
  return {
    phase: o.phase ?? { phase: 'ready' },
    joined: o.joined,
    network: 'main', chain: hex('chain'), slot: 0, self: `12D3KooW${hex('self', 44)}`, miner: ME,
    height: 212, head: hex('block-212'), headTimeMs: now - 4_000, blockIntervalMs: 10_000, recentIntervalMs: 9_640,
    totalWork: 18_940_000_000_000n, issued: 10_460n * CREDIT, burned: 2_500_000n, paidShare: 0.38,
    peers,
    net: {
      self: `12D3KooW${hex('self', 44)}`, peers: [], bytesIn: 48_200_300, bytesOut: 31_070_000,
      relays: [{ address: '/dns4/localhost/tcp/8080/ws/p2p/12D3KooWServer', connected: true }, { address: '/dns4/backup.example.org/tcp/443/wss/p2p/12D3KooWBackup', connected: false }],
      banned: [{ id: `12D3KooW${hex('cheat', 44)}`, reason: 'wrong-result: replay gives another state' }]
    },
    compute: { backend: 'wasm', workers: 3, workersMax: 8, busy: on ? 3 : 0, stepsPerSecond: on ? 1_843 : 0, macsPerSecond: on ? 18_900_000_000 : 0, selfTest: 'passed', choice: 'auto', reports: [{ backend: 'webgpu', state: 'absent', failure: 'webgpu: no adapter' }, { backend: 'wasm', state: 'ready', stepMs: 0.54 }] },
    mining: {
      settings: { on, workers: 4, duty: 1, pauseWhenHidden: false, pauseOnBattery: true, backend: 'auto' }, state: on ? 'working' : 'off', detail: '', job: on ? PAID_JOB : undefined, round: on ? 61 : undefined,
      slices: on ? 428 : 0, blocksFound: on ? 6 : 0, contributionsSealed: on ? 97 : 0, slicesPerSecond: 14.4, expectedBlockSeconds: on ? 83 : undefined
    },
    jobs: makeJobs(o.colour),
    seeding: balance === 0n
      ? { epoch: 3, blocksLeft: 44, signed: 0, payable: 0n, receipts: 0, unpaid: 0, sent: false, setAside: 0n, counters: { bytes: 0, leechers: 0, sets: 0 } }
      : { epoch: 3, blocksLeft: 44, signed: 96 * 2 ** 20, payable: 1_050_000n, receipts: 5, unpaid: 12 * 2 ** 20, sent: false, setAside: 200_000n, counters: { bytes: 1.5 * 2 ** 30, leechers: 7, sets: 11 } },
    wallet: { address: MY_ADDRESS, key: ME, balance, maturing: balance === 0n ? 0n : 50_050_000n, pendingOut: 0n, pending: [], unsent: [], nonce: 3, earned: 0n, backedUp: false, replaced: false, minFee: 1_000n },
    replays: 188, replayFailures: 1, blocksReplayed: [], contributionsPerRound: 11.3, networkSamplesPerSecond: 171_300,
    committee: { size: 5, member: true, ready: true, needsBlocks: 0 },
    refusals: [
      { timeMs: now - 62_000, what: 'block 187', reason: 'wrong-result', detail: 'replaying slice 12 gives another final state than claimed', peer: `12D3KooW${hex('cheat', 44)}` },
      { timeMs: now - 340_000, what: 'transaction', reason: 'overspend', detail: 'the account holds 3.2 credits, the transfer takes 40.001' },
      { timeMs: now - 800_000, what: 'message', reason: 'oversized', detail: '70,112 bytes on the blocks topic, at most 65,536', peer: `12D3KooW${hex('peer-5', 44)}` }
    ],
    storage: { used: 73_400_320, quota: 2_147_483_648, persisted: false }
  }
}

export function makeBlock (height: number, now: number, part: Partial<BlockView> = {}): BlockView {
  const miner = MINERS[(height * 5 + Math.floor(height / 3)) % 7] ?? ME
  const paid = height % 3 === 0
  return {
    hash: hex(`block-${height}`), height, parent: hex(`block-${height - 1}`), timeMs: now - (212 - height) * 9_640 - 4_000, miner, payee: miner, mine: miner === ME,
    job: paid ? PAID_JOB : BENCHMARK, jobName: paid ? 'Handwritten letters' : 'Benchmark: generated digits', round: Math.floor(height / 1.5), slice: height % 17,
    resultHash: hex(`result-${height}`), stateHash: hex(`state-${height}`), transactions: height % 5 === 0 ? 3 : height % 2, seals: 1 + height % 3, contributions: 6 + height % 9,
    reward: 37_500_000n, fees: height % 5 === 0 ? 3_000n : 0n, work: 88_000_000_000n, onMainChain: true, checked: miner === ME ? 'own' : height < 180 ? 'ledger' : 'replayed', ...part
  }
}

export function makeCurve (job: string, now: number, points = 90): CurvePoint[] {
  return Array.from({ length: points }, (_, i) => {
    const wobble = Math.sin(i * 1.7) * 0.006 + Math.sin(i * 0.53) * 0.004
    const learned = 1 - Math.exp(-i / 14)
    const top = job === PAID_JOB ? 0.72 : 0.83
    return { job, round: Math.round(i * 1.6), timeMs: now - (points - i) * 15_500, samples: 2_000, accuracy: 0.105 + top * learned + wobble, loss: 2.31 * Math.exp(-i / 17) + 0.25 - wobble }
  })
}

function makeHistory (now: number): HistoryEntry[] {
  const row = (i: number, part: Partial<HistoryEntry> & Pick<HistoryEntry, 'kind' | 'amount' | 'reason'>): HistoryEntry => ({ id: `h${i}`, height: 212 - i * 2, timeMs: now - 4_000 - i * 19_000, block: hex(`block-${212 - i * 2}`), ...part })
  return [
    row(0, { kind: 'block-reward', amount: 37_500_000n, reason: 'You mined block 212 with slice 8 of round 141.', maturesAt: 218, job: BENCHMARK }),
    row(1, { kind: 'contribution', amount: 50_000n, reason: 'Your slice 2 was sealed into round 61 of “Handwritten letters”; its owner pays for it.', maturesAt: 216, job: PAID_JOB }),
    row(2, { kind: 'contribution-subsidy', amount: 1_136_363n, reason: 'One of 11 contributions sealed in block 208, which share a quarter of its subsidy.', maturesAt: 214, job: BENCHMARK }),
    row(3, { kind: 'fees', amount: 3_000n, reason: 'Fees of 3 transactions in your block 206.' }),
    row(5, { kind: 'received', amount: 12_500_000n, reason: 'A transfer to your address.', counterparty: OTHER_ADDRESS }),
    row(8, { kind: 'sent', amount: -4_001_000n, reason: 'A transfer of 4 credits and a fee of 0.001.', counterparty: OTHER_ADDRESS }),
    row(11, { kind: 'job-posted', amount: -10_501_000n, reason: 'Escrow of 10, 0.5 burned and a fee of 0.001 for “Which flower is it?”.', job: MY_JOB }),
    row(30, { kind: 'job-refund', amount: 3_200_000n, reason: 'The rest of the escrow of a job you cancelled.', job: hex('old-job') }),
    ...Array.from({ length: 14 }, (_, i) => row(32 + i * 2, { kind: 'block-reward', amount: 37_500_000n, reason: `You mined block ${148 - i * 4} with slice ${i} of round ${98 - i}.` }))
  ]
}

function makeLogs (now: number): LogEntry[] {
  const texts: Array<readonly [LogEntry['level'], string, string]> = [
    ['info', 'node', 'identity slot 0, miner a41c…90f2'], ['info', 'storage', 'resumed at block 164, 71.2 MiB used'], ['info', 'net', 'connected to the server, looking for peers'],
    ['info', 'net', 'direct link to …e81b0c'], ['debug', 'net', 'gossip mesh of blocks: 6 peers'], ['info', 'sync', 'headers 165–212 from …e81b0c'], ['debug', 'verify', 'replay of block 189: 128 steps in 71 ms, same bits'],
    ['warn', 'verify', 'block 187 refused: wrong-result, replaying slice 12 gives another final state than claimed'], ['info', 'net', 'banned …9d02aa: wrong-result'], ['debug', 'work', 'slice 3 of round 61: ticket above target'],
    ['info', 'work', 'contribution 5b71…c2 sealed in round 61'], ['info', 'chain', 'block 212 by you: 37.5 credits, mature at 218'], ['error', 'net', 'server /dns4/backup.example.org did not answer within 10 s']
  ]
  return Array.from({ length: 60 }, (_, i) => { const [level, area, text] = texts[i % texts.length]!; return { timeMs: now - (60 - i) * 3_100, level, area, text } })
}

/** A stroke figure in 28 x 28: enough of a digit to look at. */
export function digitPixels (label: number): Uint8Array {
  const segments: Record<string, readonly [number, number, number, number]> = { a: [9, 6, 19, 6], b: [19, 6, 19, 14], c: [19, 14, 18, 22], d: [8, 22, 18, 22], e: [8, 14, 8, 22], f: [9, 6, 8, 14], g: [8, 14, 19, 14] }
  const lit = ['abcdef', 'bc', 'abged', 'abgcd', 'fgbc', 'afgcd', 'afgedc', 'abc', 'abcdefg', 'abcdfg'][label % 10] ?? ''
  const out = new Uint8Array(784)
  for (let y = 0; y < 28; y++) for (let x = 0; x < 28; x++) {
    let near = 99
    for (const s of lit) {
      const [x0, y0, x1, y1] = segments[s]!
      const t = Math.max(0, Math.min(1, ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)))
      near = Math.min(near, Math.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0)))
    }
    out[y * 28 + x] = Math.max(0, Math.min(255, Math.round(255 * (2.2 - near))))
  }
  return out
}

const GROUPS: Readonly<Record<HistoryEntry['kind'], HistoryGroup>> = {
  'block-reward': 'earned', contribution: 'earned', 'contribution-subsidy': 'earned', fees: 'earned', 'seeding-pay': 'earned', received: 'received', 'job-refund': 'received', 'set-aside-returned': 'received', sent: 'spent', 'job-posted': 'spent', 'set-aside': 'spent'
}

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']

/** A hill under a sky, with the sun where the class says. */
export function colourPixels (label: number): Uint8Array {
  const { height, width } = COLOUR
  const size = height * width
  const out = new Uint8Array(3 * size)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const hill = y > 20 + 5 * Math.sin((x + label * 4) / 6)
    const sun = Math.hypot(x - 4 - label * 2.6, y - 8) < 4
    const rgb = sun ? [250, 205, 70] : hill ? [60 + y, 130 + label * 6, 70] : [120 + y * 3, 175 + y * 2, 235]
    for (let c = 0; c < 3; c++) out[c * size + y * width + x] = rgb[c] ?? 0
  }
  return out
}

export function makePreview (colour = false): DatasetPreview {
  if (colour) {
    const classNames = ['dawn', 'early', 'morning', 'forenoon', 'noon', 'afternoon', 'late', 'evening', 'dusk', 'night']
    return { root: hex('colour data'), records: 21_000, trainRecords: 18_000, testRecords: 3_000, features: 3_072, classes: 10, classNames, ...COLOUR, bytes: 64_512_000, samples: classNames.map((_, label) => ({ features: colourPixels(label), label })) }
  }
  return { root: hex('data'), records: 70_000, trainRecords: 60_000, testRecords: 10_000, features: 784, classes: 10, classNames: DIGITS, ...DIGIT, bytes: 54_880_000, samples: DIGITS.map((_, label) => ({ features: digitPixels(label), label })) }
}

/** As the node does it, for data of which only the sizes matter. */
function check (draft: JobDraft, data: Omit<DataRef, 'source' | 'root'>): Outcome<JobCheck> {
  const template = parseJobJson(draft.json)
  if (!template.ok) return template
  const ref: DataRef = { source: 1, root: new Uint8Array(32), trainRecords: data.trainRecords, testRecords: data.testRecords, features: data.features, classes: data.classes }
  const errors = templateErrors(template.value, ref)
  if (errors.length > 0) return { ok: false, errors }
  const spec = toSpec(template.value, ref)
  return {
    ok: true,
    value: {
      model: describeModel(spec), parameters: shapeOf(spec).parameters, stepsPerSlice: spec.stepsPerSlice, costPerSlice: sliceCost(spec), rounds: spec.rounds,
      contributionsPaid: Number(draft.escrow / (draft.pricePerContribution === 0n ? 1n : draft.pricePerContribution)),
      miners: 5, perRound: 20, perRoundMost: 32, escrowForAll: BigInt(spec.rounds * 20) * draft.pricePerContribution, total: draft.escrow + draft.burn + draft.fee
    }
  }
}

export interface FakeNode extends NodeApi {
  readonly calls: Array<readonly [keyof NodeApi, ...unknown[]]>
  /** Replaces the answer of a method. */
  answer<K extends keyof NodeApi> (method: K, fn: NodeApi[K]): void
  emit (e: NodeEvent): void
  /** Changes the view and tells the listeners. */
  show (change: Partial<NodeView>): void
  current (): NodeView
  /** Changes the library and tells its listeners. */
  showLibrary (change: Partial<LibraryView>): void
  currentLibrary (): LibraryView
  called (method: keyof NodeApi): ReadonlyArray<readonly unknown[]>
}

export function createFakeNode (options: Options = {}): FakeNode {
  const now = options.now ?? Date.now()
  let view = makeView(options)
  const listeners = new Set<(e: NodeEvent) => void>()
  const count = options.blocks ?? 90
  const blocks = Array.from({ length: count }, (_, i) => makeBlock(212 - i, now))
  if (count > 6) blocks.splice(5, 0, makeBlock(208, now, { hash: hex('fork-208'), onMainChain: false, miner: MINERS[4], mine: false, checked: 'replayed' }))
  const calls: FakeNode['calls'] = []
  const library = fakeLibrary({ now, mine: ME, job: PAID_JOB, ...options.library })
  const done = <T>(value: T): Outcome<T> => ({ ok: true, value })

  const api: NodeApi = {
    view: async () => view,
    listen: async listener => { listeners.add(listener); return () => { listeners.delete(listener) } },
    setMining: async change => {
      const settings = { ...view.mining.settings, ...change }
      show({ mining: { ...view.mining, settings, state: settings.on ? 'working' : 'off' } })
    },
    setEnvironment: async () => {},
    setLogLevel: async () => {},
    blocks: async (limit, before) => blocks.filter(b => before === undefined || b.height < before).slice(0, limit),
    block: async hash => blocks.find(b => b.hash === hash),
    replayBlock: async (hash): Promise<ReplayView> => {
      const b = blocks.find(x => x.hash === hash)
      return { hash, ok: true, claimedResult: b?.resultHash ?? '', computedResult: b?.resultHash, claimedPayload: hex(`payload-${hash}`), computedPayload: hex(`payload-${hash}`), ticket: `0000${hex(hash, 60)}`, backend: 'wasm', steps: 128, elapsedMs: 71.4 }
    },
    curve: async job => job === MY_JOB ? [] : makeCurve(job, now),
    logs: async () => makeLogs(now),
    history: async (limit, group) => view.wallet.balance === 0n ? [] : makeHistory(now).filter(h => group === undefined || GROUPS[h.kind] === group).slice(0, limit),
    send: async () => done({ id: hex('tx') }),
    sendAgain: async () => done({ id: hex('tx-again') }),
    forgetUnsent: async () => {},
    exportKey: async () => done('cwkey1qpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54khce6mua7lqpzry9x8gf2tvdw0s3jn54khce6mua7l'),
    backupSaved: async () => { show({ wallet: { ...view.wallet, backedUp: true } }) },
    inspectBackup: async () => done({ address: OTHER_ADDRESS }),
    importKey: async () => done({ address: OTHER_ADDRESS }),
    previewData: async () => done(makePreview(options.colour)),
    checkJob: async draft => check(draft, draft.data === 'builtin' ? makeJobs()[0]! : makePreview(options.colour)),
    postJob: async () => done({ id: MY_JOB }),
    cancelJob: async id => done({ id }),
    predict: async (_job, features): Promise<Outcome<Prediction>> => {
      const label = features.length === 4 ? 1 : (features[0] ?? 0) % 10 + 3
      const classNames = features.length === 4 ? ['setosa', 'versicolor', 'virginica'] : DIGITS
      return done({ probabilities: classNames.map((_, i) => i === label ? 30_100 : i === (label + 2) % 10 ? 1_800 : 96), label, classNames })
    },
    predictRow: async () => ({ ok: false, errors: [{ field: 'row', message: 'the columns of the data are not known here' }] }),
    table: async () => undefined,
    openModel: async () => ({ ok: false, errors: [{ field: 'file', message: 'this is no model file that can be read' }] }),
    evaluate: async () => {
      const confusion = new Uint32Array(100)
      for (let r = 0; r < 10; r++) for (let c = 0; c < 10; c++) confusion[r * 10 + c] = r === c ? 188 - (r * 7) % 13 : (r * 3 + c * 5) % 7 === 0 ? 4 + (r + c) % 5 : 0
      return done({ count: 2_000, correct: 1_886, lossBits16: Math.round(0.271 * 65_536 * 2_000), confusion })
    },
    sample: async (job, index) => job === MY_JOB
      ? done({ features: Uint8Array.from([120, 40, 210, 96]), label: 1, channels: 1, width: 4, height: 1, className: 'versicolor' })
      : options.colour === true && job === PAID_JOB ? done({ features: colourPixels(3), label: 3, ...COLOUR, className: '3' })
      : done({ features: digitPixels(3), label: 3, ...DIGIT, className: String(index === -1 ? 0 : 3) }),
    downloadModel: async () => done({ name: 'model.cwm', bytes: new Uint8Array(16) }),
    ...library.api,
    stop: async () => { show(atRest({ ...view, phase: { phase: 'stopped', detail: 'Stopped by you.' } })) }
  }

  function emit (e: NodeEvent): void { for (const l of [...listeners]) l(structuredClone(e)) }
  function show (change: Partial<NodeView>): void { view = { ...view, ...change }; emit({ type: 'view', view }) }

  const recorded = Object.fromEntries((Object.keys(api) as Array<keyof NodeApi>).map(method => [method, async (...args: unknown[]) => {
    calls.push([method, ...args])
    return await (api[method] as (...a: unknown[]) => Promise<unknown>)(...args)
  }])) as unknown as NodeApi
  return { ...recorded, calls, emit, show, current: () => view, showLibrary: library.show, currentLibrary: library.current, called: method => calls.filter(c => c[0] === method).map(([, ...args]) => args), answer: (method, fn) => { api[method] = fn } }
}

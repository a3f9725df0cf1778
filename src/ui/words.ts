/** Every state of the node and of mining in words a person can act on. */
import type { BlockView, HistoryEntry, JobView, JoinedView, MiningSettings, MiningView, NodePhase, NodeView } from '../bridge/api.ts'
import { bytes, count, duration, percent, plural, sentence, shortId } from './format.ts'

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'idle'

export interface Words {
  readonly tone: Tone
  /** Two or three words for the status pill. */
  readonly label: string
  readonly title: string
  /** What it means and what to do, in a sentence or two. */
  readonly text: string
  /** 0..1 where there is a known way to go. */
  readonly progress?: number
  readonly action?: 'invite' | 'reload' | 'backup' | 'settings' | 'logs' | 'train'
}

/** Block intervals without a block from which the page says so. Where everybody trains, luck alone makes so long a gap once in 22,000 blocks (e^10). */
export const SILENT_INTERVALS = 10

/** Without what these say first, a missing block says nothing of the others. */
const HEARS_OTHERS: ReadonlySet<NodePhase['phase']> = new Set<NodePhase['phase']>(['ready', 'alone', 'no-data', 'pruned', 'newer-version'])

/** How long no block has come, in ms, where that is longer than luck explains. A chain without a block is silent since the page was opened. */
export function silence (view: Pick<NodeView, 'phase' | 'height' | 'headTimeMs' | 'blockIntervalMs'>, nowMs: number, openedAtMs: number): number | undefined {
  if (!HEARS_OTHERS.has(view.phase.phase)) return undefined
  const ms = nowMs - (view.height === 0 ? openedAtMs : view.headTimeMs)
  return ms >= SILENT_INTERVALS * view.blockIntervalMs ? ms : undefined
}

/** In one unit: it is read while it grows. */
function roughly (ms: number): string {
  const [unit, name] = ([[86_400_000, 'day'], [3_600_000, 'hour'], [60_000, 'minute']] as const).find(([u]) => ms >= u) ?? [1_000, 'second']
  return plural(Math.floor(ms / unit), name)
}

/** What a silence of so long means. A block may always come late by luck: nobody is called absent for certain. */
export function silenceWords (ms: number, view: Pick<NodeView, 'mining' | 'blockIntervalMs'>): Words {
  const said = `No block for ${roughly(ms)}`
  const base = { tone: 'warn', label: 'No new block' } as const
  const usual = `With somebody training, one comes about every ${duration(view.blockIntervalMs)}.`
  if (view.mining.state === 'working') return { ...base, title: said, text: `${usual} This tab trains: its work can win the next one at any time. Where others have left lately, blocks come slowly at first and then faster again.` }
  if (view.mining.settings.on) return { ...base, title: `${said}: nobody seems to be training`, text: `${usual} Training is switched on here, and does not run at the moment: “Train” says why.` }
  return { ...base, title: `${said}: nobody seems to be training`, text: `${usual} It may come late by luck; where nobody trains, none comes. Start training here, and the next one can be yours.`, action: 'train' }
}

const STAGES = { blocks: 'fetching blocks', states: 'fetching model states', replay: 'replaying recent work to check it' } as const

/** Headers run ahead of the blocks, and a ledger takes the place of most of them: their heights are not to be taken for one another. */
function syncText ({ stage, height, target }: Extract<NodePhase, { phase: 'syncing' }>): string {
  switch (stage) {
    case 'headers': return `Fetching block headers: ${count(height)} of ${count(target)} are here.`
    case 'snapshot': return `The headers are here. Fetching the ledger of a recent block; the chain has ${count(target)}.`
    case 'blocks':
    case 'states':
    case 'replay': return `Block ${count(height)} of ${count(target)}: ${STAGES[stage]}.`
  }
}

/** What this tab has checked of a chain that it joined by a recent ledger, and what not. */
export function joinedWords (j: JoinedView): string {
  return `${plural(j.headers, 'header')} linked one to the other, ${plural(j.signatures, 'signature')} of them checked by lot. The ledger of block ${count(j.height)} (${bytes(j.bytes)}) was fetched and fits its header. The last ${plural(j.replayed, 'block')} ${j.replayed === 1 ? 'was' : 'were'} replayed here. Not fetched: what is in the ${plural(j.height, 'block')} up to it; their work and transactions were checked by others, not by this tab.`
}

export function phaseWords (phase: NodePhase, joined?: JoinedView): Words {
  switch (phase.phase) {
    case 'starting': return { tone: 'busy', label: 'Starting', title: 'Starting this node', text: sentence(phase.step) }
    case 'joining': return { tone: 'busy', label: 'Joining', title: 'Joining the network', text: 'Looking for other tabs, and asking them how far the chain is. This usually takes a few seconds.' }
    case 'alone': return { tone: 'warn', label: 'Alone', title: 'No other tab is in reach', text: 'You can train and mine alone; your blocks join the network as soon as someone else opens the page. Share the invite link to bring others in.', action: 'invite' }
    case 'syncing': return { tone: 'busy', label: `Syncing ${Math.floor(phase.done * 100)} %`, title: 'Catching up with the chain', text: syncText(phase), progress: phase.done }
    case 'behind': return { tone: 'warn', label: 'Behind', title: 'Behind the network', text: `This tab is at block ${count(phase.height)}, others are at ${count(phase.target)}. It catches up by itself; if this stays, this device may be too busy to check the work in time.`, progress: phase.done }
    case 'ready': return { tone: 'good', label: 'In sync', title: 'In sync', text: joined === undefined ? 'This tab holds the chain and checks every block itself.' : `This tab checks every block since ${count(joined.height)} itself; it took the ledger of that block from other tabs and compared it with its header.` }
    case 'no-data': return { tone: 'warn', label: 'No data', title: 'Waiting for training data', text: `${phase.have} of ${phase.want} pieces of the data of job ${shortId(phase.job)} are here. The rest comes from peers that hold it; keep this tab open.`, progress: share(phase.have, phase.want) }
    case 'pruned': return { tone: 'warn', label: 'Pruned', title: 'Older history is no longer kept', text: `What lies before block ${count(phase.height)} has been pruned by the peers in reach. ${phase.detail}` }
    case 'asleep': return { tone: 'warn', label: 'Was asleep', title: 'This tab was asleep', text: `The browser or the device suspended it for ${duration(phase.forMs)}. It is catching up with what happened meanwhile.` }
    case 'newer-version': return { tone: 'bad', label: 'Update needed', title: 'A newer version is out there', text: `Peers speak protocol version ${phase.version}, which this page does not know. Reload to get the newest version; your key and chain are kept.`, action: 'reload' }
    case 'storage-failed': return storageWords(phase.kind, phase.detail)
    case 'stopped': return { tone: 'bad', label: 'Stopped', title: 'This node has stopped', text: `${phase.detail === '' ? '' : `${sentence(phase.detail)} `}Reload the page to start it again; until then nothing here reaches the network.`, action: 'reload' }
  }
}

function storageWords (kind: 'full' | 'gone' | 'newer' | 'corrupt', detail: string): Words {
  const base = { tone: 'bad', label: 'Storage failed' } as const
  const why = detail === '' ? '' : ` (${detail})`
  switch (kind) {
    case 'full': return { ...base, title: 'This device is out of space', text: `The chain can no longer be saved${why}. Free some space or clear data of other sites, then reload. Nothing saved so far is lost; export your wallet key to be safe.`, action: 'backup' }
    case 'gone': return { ...base, title: 'The browser removed the saved data', text: `The storage of this page was closed or cleared${why}. If that was not meant, save a backup of the key first: this tab may have the last copy. Then reload to start again. In a private window data is never kept: use an ordinary one.`, action: 'backup' }
    case 'newer': return { ...base, title: 'Saved by a newer version', text: `The data on this device was written by a newer version of this page${why}. Close other tabs of Commonweight and reload.`, action: 'reload' }
    case 'corrupt': return { ...base, title: 'The saved data is damaged', text: `Parts of the chain on this device cannot be read${why}. Export your wallet key if you can, then erase the data in Settings; the chain is fetched again from peers.`, action: 'settings' }
  }
}

/** The sentence under the button: what mining does right now and why. */
export function miningWords (mining: MiningView, phase: NodePhase, jobName: string | undefined): Words {
  const detail = sentence(mining.detail)
  switch (mining.state) {
    case 'off': return { tone: 'idle', label: 'Off', title: 'Not training', text: phase.phase === 'ready' || phase.phase === 'alone' ? 'This tab checks the work of others. Start to train with them and earn credits.' : 'You can start now; work begins as soon as this tab is ready.' }
    case 'waiting': return { tone: 'busy', label: 'Waiting', title: 'Waiting to work', text: detail === '' ? 'Work begins as soon as this tab is in sync.' : detail }
    case 'paused-hidden': return { tone: 'warn', label: 'Paused', title: 'Paused while this tab is in the background', text: 'It goes on when you come back. You can change this under “Fine-tune and when to pause”.' }
    case 'paused-battery': return { tone: 'warn', label: 'Paused', title: 'Paused on battery', text: 'It goes on when this device is charging. You can change this under “Fine-tune and when to pause”.' }
    case 'working': return { tone: 'good', label: 'Working', title: `Training ${jobName ?? 'a model'}`, text: detail === '' ? `Round ${mining.round === undefined ? '–' : count(mining.round)}. Every piece of work is a ticket for the next block.` : detail }
  }
}

const CANCELLING = { label: 'Being cancelled', tone: 'warn', text: 'The owner has cancelled it. It ends a few blocks later, so that work already sealed is paid; then what is left of the escrow goes back.' } as const

export const jobStatus = (job: JobView): { readonly label: string, readonly tone: Tone, readonly text: string } =>
  job.cancelsAt === undefined ? JOB_STATUS[job.status] : CANCELLING

const JOB_STATUS: Record<JobView['status'], { readonly label: string, readonly tone: Tone, readonly text: string }> = {
  'waiting-data': { label: 'Waiting for data', tone: 'warn', text: 'Training begins once the committee attests that it holds the data. Keep this tab open so that others can fetch it.' },
  active: { label: 'Training', tone: 'good', text: 'Miners are working on it.' },
  done: { label: 'Done', tone: 'idle', text: 'All rounds are sealed. What was left of the escrow went back to the owner.' },
  expired: { label: 'Expired', tone: 'warn', text: 'The deadline passed before all rounds were sealed. What was left of the escrow went back to the owner.' },
  cancelled: { label: 'Cancelled', tone: 'idle', text: 'The owner cancelled it. What was left of the escrow went back.' },
  exhausted: { label: 'Escrow used up', tone: 'idle', text: 'The escrow has paid for all the work it could.' }
}

export const CHECKED: Record<BlockView['checked'], { readonly label: string, readonly tone: Tone, readonly text: string }> = {
  replayed: { label: 'replayed', tone: 'good', text: 'This tab redid the work in this block and got the same result.' },
  own: { label: 'own work', tone: 'good', text: 'This tab did the work in this block itself.' },
  ledger: { label: 'rules checked', tone: 'idle', text: 'Headers, signatures and ledger were checked. The work lies before the window this tab replays on its own; you can replay it by hand if its state is still kept.' },
  pending: { label: 'checking', tone: 'busy', text: 'This tab is redoing the work of this block.' }
}

/** A block that pays this wallet and is not of this tab is of another one of the same profile. */
export const isOwnOther = (block: Pick<BlockView, 'mine' | 'payee'>, wallet: string): boolean => !block.mine && block.payee === wallet

export const minerWords = (block: Pick<BlockView, 'mine' | 'payee' | 'miner'>, wallet: string): string =>
  block.mine ? 'you' : isOwnOther(block, wallet) ? 'your other tab' : shortId(block.miner)

export const KIND_LABEL: Record<HistoryEntry['kind'], string> = {
  'block-reward': 'Block reward',
  contribution: 'Paid training',
  'contribution-subsidy': 'Training share',
  fees: 'Fees',
  received: 'Received',
  sent: 'Sent',
  'job-posted': 'Job posted',
  'job-refund': 'Job refund',
  'set-aside': 'Set aside for seeders',
  'seeding-pay': 'Seeding pay',
  'set-aside-returned': 'Set aside, returned'
}

/** A client pays for it; the rest of the work goes to the benchmark. */
export const paidShareWords = (paid: number): string => paid === 0
  ? 'All recent work went to the built-in benchmark, because no client pays for a job right now.'
  : `${percent(paid, 0)} of the recent work was paid for by a client; the rest went to the built-in benchmark.`

function share (have: number, want: number): number {
  return want <= 0 ? 0 : Math.min(1, have / want)
}

export const BACKENDS: Readonly<Record<MiningSettings['backend'], { readonly label: string, readonly text: string }>> = {
  auto: { label: 'Fastest', text: 'What passes its self-test is measured on the job\'s model, and the fastest works.' },
  webgpu: { label: 'GPU', text: 'WebGPU kernels.' },
  wasm: { label: 'CPU', text: 'WebAssembly kernels.' },
  reference: { label: 'Reference', text: 'The slow kernels that define what is correct.' }
}

const stepTime = (ms: number): string => ms < 10 ? `${ms.toFixed(2)} ms` : `${Math.round(ms)} ms`

/** What became of a backend, after its name. */
export function backendWords ({ state, detail, stepMs, failure, backend }: NodeView['compute']['reports'][number]): string {
  const on = detail === undefined ? '' : ` on ${detail}`
  if (state === 'ready') return stepMs === undefined ? `passed its self-test${on}` : `${stepTime(stepMs)} a step${on}`
  const why = (failure ?? '').replace(`${backend}: `, '')
  switch (state) {
    case 'absent': return `not here: ${why}`
    case 'wrong': return `not used, it computed wrong bits${on}: ${why}`
    case 'lost': return `given up: ${why}`
    case 'refused': return `cannot run the newest model: ${why}`
  }
}

/** Why the backend in use is the one in use. */
export function backendReason ({ backend, choice, reports }: NodeView['compute']): string {
  const { label } = BACKENDS[backend]
  if (choice !== 'auto') return choice === backend ? `${label} is your choice.` : `${label} works instead of your choice, which is ${BACKENDS[choice].label}.`
  const timed = reports.filter(({ state, stepMs }) => state === 'ready' && stepMs !== undefined)
  if (timed.length > 1) return `${label} is used, measured against the others: ${[...timed].sort((a, b) => a.stepMs! - b.stepMs!).map(r => `${BACKENDS[r.backend].label} ${stepTime(r.stepMs!)}`).join(', ')} a step.`
  return reports.length > 0 ? `${label} is the only one that can work here.` : `${label} is what usually works here.`
}

/** The wizard's backend: what it says of files, and of a draft. */
import { describe, expect, it } from 'vitest'
import type { JobDraft } from '../../src/bridge/api.ts'
import { TEST } from '../../src/core/params.ts'
import { JobDesk, type JobDeskDeps } from '../../src/node/jobDesk.ts'

function idx (dimensions: readonly number[], value: (i: number) => number): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dimensions.length + dimensions.reduce((a, b) => a * b, 1))
  bytes.set([0, 0, 8, dimensions.length])
  const view = new DataView(bytes.buffer)
  dimensions.forEach((d, i) => { view.setUint32(4 + 4 * i, d, false) })
  return bytes.map((b, i) => i < 4 + 4 * dimensions.length ? b : value(i - 4 - 4 * dimensions.length))
}

const never = (): never => { throw new Error('not used here') }
const desk = (head: unknown = { height: 0, ledger: { jobs: [] } }): JobDesk => new JobDesk({
  params: TEST,
  chain: { head: () => head } as unknown as JobDeskDeps['chain'],
  data: { add: never, held: never, publish: never }, wallet: { postJob: never }, owner: new Uint8Array(32), gunzip: never
})

const files = (dimensions: readonly number[]): Parameters<JobDesk['previewData']>[0] => ({
  kind: 'idx',
  trainFeatures: { name: 'pictures', bytes: idx(dimensions, i => i % 256) },
  trainLabels: { name: 'labels', bytes: idx([dimensions[0]], i => i % 3) }
})

async function preview (d: JobDesk, dimensions: readonly number[]): Promise<Awaited<ReturnType<JobDesk['previewData']>> & { ok: true }> {
  const outcome = await d.previewData(files(dimensions))
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.errors))
  return outcome
}

describe('a preview', () => {
  it.each<[string, readonly number[], readonly [number | undefined, number | undefined, number | undefined]]>([
    ['colour pictures', [60, 3, 16, 18], [3, 16, 18]],
    ['pictures', [60, 16, 18], [1, 16, 18]],
    ['rows that could be a square', [60, 256], [1, 16, 16]],
    ['rows', [60, 10], [undefined, undefined, undefined]]
  ])('gives the shape of %s', async (_, dimensions, shape) => {
    const { value } = await preview(desk(), dimensions)
    expect([value.channels, value.height, value.width]).toEqual(shape)
    expect(value.samples[0].features).toHaveLength(dimensions.slice(1).reduce((a, b) => a * b, 1))
  })

  it('names the file whose channels come last', async () => {
    const outcome = await desk().previewData(files([60, 16, 18, 3]))
    expect(outcome).toEqual({ ok: false, errors: [{ field: 'trainFeatures', message: 'pictures has records of 16 x 18 x 3, which reads as 16 channels of 18 x 3; channels come first: 3 x 16 x 18' }] })
  })
})

describe('a draft of a convolutional job', () => {
  const json = (layers: unknown): string => JSON.stringify({
    model_type: 'cnn', architecture: { input_shape: [3, 16, 18], layers, output_size: 3 },
    optimizer: { type: 'adam', learning_rate: 0.002 }, stopping_criterion: { max_epochs: 40 }, dataset_info: { batch_size: 32 }
  })
  const draft = (data: string, layers: unknown): JobDraft => ({ json: json(layers), data, escrow: 10_000_000n, pricePerContribution: 1_000_000n, burn: 1_000_000n, deadlineBlocks: 500, fee: 1_000_000n })

  it('comes to a model, a slice and a number of rounds', async () => {
    const d = desk()
    const { value: { root } } = await preview(d, [60, 3, 16, 18])
    const checked = d.checkJob(draft(root, [{ type: 'conv2d', filters: 8, kernel_size: 3, activation: 'relu' }, { type: 'max_pool2d', pool_size: 2 }]))
    expect(checked).toMatchObject({ ok: true, value: { model: '3×16×18 – conv 8 3×3 – max 2 – 3', parameters: 8 * 28 + 3 * (8 * 7 * 8 + 1), contributionsPaid: 10 } })
    if (!checked.ok) return
    const { stepsPerSlice, rounds } = checked.value
    expect(stepsPerSlice).toBeGreaterThanOrEqual(1)
    expect(rounds).toBe(Math.ceil(40 * 50 / (32 * stepsPerSlice)))
  })

  it.each([[0, 4], [2, 8], [7, 28], [9, 32]])('tells what a round takes with %i miners in the recent blocks', async (miners, perRound) => {
    let head: unknown = { height: 0, ledger: { jobs: [] } }
    for (let height = 1; height <= 2 * miners; height++) head = { height, ledger: { jobs: [] }, parent: head, header: { template: { miner: new Uint8Array(32).fill(height % miners) } } }
    const d = desk(head)
    const { value: { root } } = await preview(d, [60, 3, 16, 18])
    const checked = d.checkJob(draft(root, [{ type: 'conv2d', filters: 8, kernel_size: 3, activation: 'relu' }]))
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors))
    expect(checked.value).toMatchObject({ miners: Math.max(1, miners), perRound, perRoundMost: 32, escrowForAll: BigInt(checked.value.rounds * perRound) * 1_000_000n })
  })

  it('is refused by the layer at fault', async () => {
    const d = desk()
    const { value: { root } } = await preview(d, [60, 3, 16, 18])
    const checked = d.checkJob(draft(root, [{ type: 'conv2d', filters: 8, kernel_size: 3 }, { type: 'add', with: 'input' }]))
    expect(checked).toEqual({ ok: false, errors: [{ field: 'architecture.layers[1]', message: 'adds [3, 16, 18] to [8, 14, 16]' }] })
  })
})

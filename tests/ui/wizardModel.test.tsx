/** The wizard's model step: kinds, presets, the list of layers, job files. */
import { fireEvent } from '@solidjs/testing-library'
import { describe, expect, test } from 'vitest'
import type { FieldError } from '../../src/bridge/api.ts'
// Loaded on demand by the page; here beforehand, so that no test waits for it.
import '../../src/ui/views/Wizard.tsx'
import { makePreview, type Options } from './fakeNode.ts'
import { all, choose, click, errorOf, find, get, open, text, type, waitFor, type Opened } from './support.tsx'

const CSV = new File(['1,2,a\n'], 'letters.csv', { type: 'text/csv' })
const value = (testid: string): string => (get(testid) as HTMLInputElement).value
const select = (testid: string, to: string): void => { fireEvent.change(get(testid), { target: { value: to } }) }
const options = (testid: string): string[] => [...(get(testid) as HTMLSelectElement).options].map(o => o.text)
const shapes = (): string[] => all('wizard-layer').map((_, i) => text(`wizard-layer-${i + 1}-shape`).replace('gives ', ''))
const kinds = (): string[] => all('wizard-layer').map((_, i) => value(`wizard-layer-${i + 1}-kind`))
const drafted = (opened: Opened): any => JSON.parse((opened.node.called('checkJob').at(-1)?.[0] as { json: string }).json)
const settled = async (): Promise<void> => { await waitFor(() => { get('wizard-checked') }) }

async function toModel (o: Options = {}, preview: Partial<ReturnType<typeof makePreview>> = {}): Promise<Opened> {
  const opened = await open('jobs/new', o, {}, node => { node.answer('previewData', async () => ({ ok: true, value: { ...makePreview(o.colour), ...preview } })) })
  await find('wizard')
  choose('wizard-files', [CSV])
  await find('wizard-preview')
  click('wizard-next')
  await find('wizard-model')
  return opened
}

describe('the proposal', () => {
  test('pictures get convolutions, with shapes, parameters and what a slice costs', async () => {
    const opened = await toModel()
    expect((get('wizard-kind-cnn') as HTMLInputElement).checked).toBe(true)
    expect(get('wizard-preset-small').getAttribute('aria-pressed')).toBe('true')
    expect(text('wizard-shape-input')).toBe('1 × 28 × 28')
    expect(shapes()).toEqual(['8 × 24 × 24208 parameters', '8 × 12 × 12', '16 × 8 × 83,216 parameters', '16 × 4 × 4', '6416,448 parameters'])
    expect(text('wizard-shape-output')).toBe('10650 parameters')
    await settled()
    expect([text('wizard-parameters'), text('wizard-slice-steps'), text('wizard-slice-cost')]).toEqual(['20,522', '53 steps', '7.91 G'])
    expect(get('wizard-steps').getAttribute('placeholder')).toBe('53, chosen for you')
    expect(drafted(opened)).toMatchObject({ name: 'My model', model_type: 'cnn', architecture: { input_shape: [1, 28, 28], output_size: 10 }, optimizer: { learning_rate: 0.002 }, dataset_info: { batch_size: 64 }, stopping_criterion: { max_epochs: 10 } })
    expect(get('wizard-next').hasAttribute('disabled')).toBe(false)
  })

  test('colour pictures keep their channels', async () => {
    const opened = await toModel({ colour: true })
    expect(text('wizard-shape-input')).toBe('3 × 32 × 32')
    await settled()
    expect(drafted(opened).architecture.input_shape).toEqual([3, 32, 32])
    click('wizard-back')
    await find('wizard-preview')
    expect(text('wizard-preview')).toContain('32 × 32 pictures in colour')
    expect(get('wizard-preview').querySelectorAll('canvas[data-channels="3"]')).toHaveLength(10)
  })

  test('tables get dense layers and no choice, and a small one is gone through more often', async () => {
    const opened = await toModel({}, { features: 4, width: undefined, height: undefined, channels: undefined, classes: 3, trainRecords: 120, testRecords: 30, samples: [{ features: new Uint8Array(4), label: 0 }] })
    expect(value('wizard-hidden')).toBe('128, 64')
    expect(all('wizard-kind')).toHaveLength(0)
    expect(value('wizard-epochs')).toBe('2000')
    expect(opened.node.called('previewData')).toHaveLength(1)
  })

  test('tiny pictures and huge ones get dense layers, and may have convolutions', async () => {
    await toModel({}, { features: 100, width: 10, height: 10, samples: [] })
    expect((get('wizard-kind-mlp') as HTMLInputElement).checked).toBe(true)
    click('wizard-kind-cnn')
    await find('wizard-layers')
    expect(text('wizard-shape-input')).toBe('1 × 10 × 10')
    expect(shapes().every(s => s !== '–')).toBe(true)
  })

  test('a model that someone chose stays, and is fitted to other data', async () => {
    const opened = await toModel()
    type('wizard-layer-1-filters', '12')
    type('wizard-epochs', '3')
    click('wizard-back')
    await find('wizard-files')
    opened.node.answer('previewData', async () => ({ ok: true, value: makePreview(true) }))
    choose('wizard-files', [CSV])
    await waitFor(() => { expect(text('wizard-preview')).toContain('32 × 32') })
    click('wizard-next')
    await find('wizard-layers')
    expect(text('wizard-shape-input')).toBe('3 × 32 × 32')
    expect([value('wizard-layer-1-filters'), value('wizard-epochs')]).toEqual(['12', '3'])
  })
})

describe('kinds and presets', () => {
  test('looking at the other kind loses nothing', async () => {
    await toModel()
    type('wizard-layer-3-filters', '24')
    click('wizard-kind-mlp')
    await find('wizard-hidden')
    expect([value('wizard-hidden'), value('wizard-batch'), value('wizard-rate')]).toEqual(['128, 64', '32', '0.001'])
    type('wizard-hidden', '99')
    type('wizard-name', 'Mine')
    click('wizard-kind-cnn')
    await find('wizard-layers')
    expect([value('wizard-layer-3-filters'), value('wizard-batch'), value('wizard-name')]).toEqual(['24', '64', 'Mine'])
    click('wizard-kind-mlp')
    await find('wizard-hidden')
    expect(value('wizard-hidden')).toBe('99')
  })

  test('a preset replaces the layers only, and shows when it is in use', async () => {
    const opened = await toModel()
    type('wizard-epochs', '4')
    click('wizard-preset-medium')
    await waitFor(() => { expect(kinds()).toContain('add') })
    expect([get('wizard-preset-small'), get('wizard-preset-medium')].map(b => b.getAttribute('aria-pressed'))).toEqual(['false', 'true'])
    expect(value('wizard-epochs')).toBe('4')
    await waitFor(() => { expect(drafted(opened).architecture.layers).toHaveLength(9) })
    await settled()
    type('wizard-layer-1-filters', '17')
    expect(get('wizard-preset-medium').getAttribute('aria-pressed')).toBe('false')
  })
})

describe('the list of layers', () => {
  test('shapes follow what is typed, up to the first layer that cannot be', async () => {
    await toModel()
    type('wizard-layer-1-filters', '5')
    type('wizard-layer-1-padding', '2')
    expect(shapes().slice(0, 2)).toEqual(['5 × 28 × 28130 parameters', '5 × 14 × 14'])
    type('wizard-layer-3-kernel_size', '20')
    expect(shapes().slice(1)).toEqual(['5 × 14 × 14', '–', '–', '–'])
    expect(text('wizard-shape-output')).toBe('–')
  })

  test('what is wrong stands at its row, and nothing is rewritten', async () => {
    await toModel()
    type('wizard-layer-1-filters', '')
    type('wizard-layer-2-pool_size', 'two')
    await waitFor(() => { expect(text('wizard-layer-1-error')).toBe('Filters: is missing.') })
    expect(text('wizard-layer-2-error')).toBe('Size: expected a number, found "two".')
    expect(get('wizard-layer-1-filters').getAttribute('aria-invalid')).toBe('true')
    expect(errorOf('wizard-layer-1-filters')).toContain('is missing')
    expect(value('wizard-layer-2-pool_size')).toBe('two')
    expect(all('wizard-model-error')).toHaveLength(0)
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
    type('wizard-layer-1-filters', '8')
    type('wizard-layer-2-pool_size', '2')
    await settled()
    expect(get('wizard-next').hasAttribute('disabled')).toBe(false)
  })

  test('layers that do not fit one another are named by the network\'s own rules', async () => {
    await toModel()
    type('wizard-layer-3-kernel_size', '20')
    await waitFor(() => { expect(text('wizard-layer-3-error')).toBe('20 does not fit 12 x 12 with padding 0.') })
    expect(all('wizard-layer-4-error')).toHaveLength(0)
  })

  test('what is wrong with the whole stands below, at the records or at the classes', async () => {
    const opened = await toModel()
    const errors: FieldError[] = [
      { field: 'architecture.layers', message: '1200000 parameters, at most 1000000' }, { field: 'architecture.input_shape', message: 'the input has 5 values' },
      { field: 'architecture.output_size', message: 'the data has 12 classes' }, { field: 'training.steps_per_slice', message: 'a slice costs 1, at least 200' }
    ]
    opened.node.answer('checkJob', async () => ({ ok: false, errors }))
    type('wizard-layer-1-filters', '9')
    await waitFor(() => { expect(text('wizard-layers-error')).toContain('1200000 parameters') })
    expect(text('wizard-layers')).toContain('The input has 5 values.')
    expect(text('wizard-layers')).toContain('The data has 12 classes.')
    expect(errorOf('wizard-steps')).toBe('A slice costs 1, at least 200.')
    expect(all('wizard-model-error')).toHaveLength(0)
  })

  test('by keyboard: a layer is moved and removed, and the focus goes with it', async () => {
    await toModel()
    get('wizard-layer-1-down').focus()
    click('wizard-layer-1-down')
    expect(kinds()).toEqual(['max_pool2d', 'conv2d', 'conv2d', 'max_pool2d', 'dense'])
    await waitFor(() => { expect(document.activeElement).toBe(get('wizard-layer-2-down')) })
    click('wizard-layer-2-up')
    // At the top there is no way up: the focus stays in the row.
    await waitFor(() => { expect(document.activeElement).toBe(get('wizard-layer-1-down')) })
    expect(get('wizard-layers').querySelector('[role="status"]')?.textContent).toBe('Layer 2 is now layer 1.')
    click('wizard-layer-5-remove')
    await waitFor(() => { expect(document.activeElement).toBe(get('wizard-layer-4-kind')) })
    expect(kinds()).toEqual(['conv2d', 'max_pool2d', 'conv2d', 'max_pool2d'])
    expect(get('wizard-layer-1-up').hasAttribute('disabled')).toBe(true)
    expect(get('wizard-layer-4-down').hasAttribute('disabled')).toBe(true)
  })

  test('a layer is added before the dense ones, and typing keeps the focus', async () => {
    await toModel()
    select('wizard-layer-new', 'norm')
    click('wizard-layer-add')
    expect(kinds()).toEqual(['conv2d', 'max_pool2d', 'conv2d', 'max_pool2d', 'norm', 'dense'])
    await waitFor(() => { expect(document.activeElement).toBe(get('wizard-layer-5-kind')) })
    const field = get('wizard-layer-1-filters')
    field.focus()
    type('wizard-layer-1-filters', '1')
    type('wizard-layer-1-filters', '12')
    expect(document.activeElement).toBe(field)
    expect(get('wizard-layer-1-filters')).toBe(field)
  })

  test('a residual adds a layer of the same shape, which gets a name', async () => {
    const opened = await toModel()
    select('wizard-layer-new', 'conv2d')
    click('wizard-layer-add')
    type('wizard-layer-5-filters', '16')
    select('wizard-layer-new', 'add')
    click('wizard-layer-add')
    expect(kinds().slice(3)).toEqual(['max_pool2d', 'conv2d', 'add', 'dense'])
    // Of the records, whose shape differs, only because the new row still says so.
    expect(options('wizard-layer-6-with')).toEqual(['the records', '4 Max pool'])
    await waitFor(() => { expect(text('wizard-layer-6-error')).toBe('Adds [1, 28, 28] to [16, 4, 4].') })
    select('wizard-layer-6-with', '3')
    await settled()
    expect(drafted(opened).architecture.layers.slice(3, 6)).toEqual([
      { type: 'max_pool2d', pool_size: 2, name: 'layer-4' },
      { type: 'conv2d', filters: 16, kernel_size: 3, padding: 1, activation: 'relu' },
      { type: 'add', with: 'layer-4', activation: 'relu' }
    ])
    expect(shapes()[5]).toBe('16 × 4 × 4')
    get('wizard-layer-6-relu').click()
    expect(options('wizard-layer-6-with')).toEqual(['4 Max pool'])
  })

  test('another kind keeps what it can', async () => {
    const opened = await toModel()
    select('wizard-layer-2-kind', 'average_pool2d')
    select('wizard-layer-5-kind', 'conv2d')
    await settled()
    await waitFor(() => { expect(drafted(opened).architecture.layers[4]).toEqual({ type: 'conv2d', filters: 64, kernel_size: 3, padding: 1, activation: 'relu' }) })
    expect(drafted(opened).architecture.layers[1]).toEqual({ type: 'average_pool2d', pool_size: 2 })
  })
})

test('a model that is too small is told so where its layers are, and at the steps', async () => {
  const { node } = await toModel()
  const small: FieldError = { field: 'training.steps_per_slice', message: 'a slice of 512 steps costs 9 multiply-adds, and the network takes no less than 200: use a larger batch or a larger model' }
  node.answer('checkJob', async () => ({ ok: false, errors: [small] }))
  get('wizard-kind-mlp').click()
  await find('wizard-hidden')
  type('wizard-hidden', '2')
  await waitFor(() => { expect(errorOf('wizard-hidden')).toMatch(/a larger model\.$/) })
  expect(errorOf('wizard-steps')).toBe(errorOf('wizard-hidden'))
  // Whoever chose the steps is told at the steps.
  type('wizard-steps', '3')
  await waitFor(() => { expect(errorOf('wizard-hidden')).toBe('') })
  expect(errorOf('wizard-steps')).toMatch(/a larger model/)
  type('wizard-steps', '')
  get('wizard-kind-cnn').click()
  await waitFor(() => { expect(text('wizard-layers')).toMatch(/a larger model\./) })
})

describe('job files', () => {
  const FILE = JSON.stringify({
    name: 'From a file', model_type: 'cnn',
    architecture: { input_shape: [1, 28, 28], layers: [{ type: 'conv2d', filters: 6, kernel_size: 5, name: 'stem' }, { type: 'norm', input: 'stem' }, { type: 'warp' }], output_size: 10 },
    optimizer: { type: 'adam', learning_rate: 0.004 }, stopping_criterion: { max_epochs: 2 }, dataset_info: { batch_size: 16 }
  })
  const shown = async (): Promise<void> => {
    await waitFor(() => { expect(value('wizard-name')).toBe('From a file') })
    expect(value('wizard-layer-1-filters')).toBe('6')
    expect(options('wizard-layer-2-input')).toEqual(['the layer before', 'the records', '1 Convolution'])
    expect(value('wizard-layer-2-input')).toBe('0')
    expect(options('wizard-layer-3-kind')[0]).toBe('warp')
    await waitFor(() => { expect(text('wizard-layer-3-error')).toMatch(/^Type: "warp" is not supported/i) })
  }

  test('one that is chosen fills the form, unknown layers and all', async () => {
    await toModel()
    choose('wizard-job-file', [new File([FILE], 'job.json')])
    await shown()
    expect(value('wizard-rate')).toBe('0.004')
  })

  test('one that is dropped anywhere on the step does too', async () => {
    await toModel()
    fireEvent.drop(get('wizard-model'), { dataTransfer: { files: [new File([FILE], 'job.json')] } })
    await shown()
  })

  test('one that is pasted shows in the form, layers on a line each on the way back', async () => {
    await toModel()
    get('wizard-mode-json').click()
    await find('wizard-json')
    type('wizard-json', FILE)
    get('wizard-mode-form').click()
    await shown()
    type('wizard-layer-1-filters', '7')
    get('wizard-mode-json').click()
    expect((await find('wizard-json') as HTMLTextAreaElement).value).toContain('\n      { "type": "conv2d", "filters": 7, "kernel_size": 5, "name": "stem" },\n')
  })

  test('a file that is none is refused or shown as it is', async () => {
    await toModel()
    choose('wizard-job-file', [new File(['x'.repeat(70_000)], 'huge.json')])
    await waitFor(() => { expect(text('wizard-job-file-error')).toBe('huge.json is too large for a job file.') })
    expect(value('wizard-name')).toBe('My model')
    choose('wizard-job-file', [new File(['not json'], 'job.json')])
    await find('wizard-job-file-odd')
    click('wizard-job-file-odd-yes')
    await waitFor(() => { expect(document.body.textContent).toContain('not valid JSON') })
    expect(all('wizard-job-file-error')).toHaveLength(0)
    get('wizard-mode-json').click()
    await waitFor(() => { expect(text('wizard-model-error')).toMatch(/json: line 1, column 1: expected/) })
    expect(text('wizard-model-error')).not.toMatch(/line 1: line 1/)
  })

  test('a file that is none takes the place of nothing before one is asked', async () => {
    await toModel()
    choose('wizard-job-file', [new File(['a;b\n1;2\n'], 'flowers.csv')])
    expect((await find('wizard-job-file-odd')).textContent).toMatch(/“flowers\.csv” is not JSON.*records are chosen at the step Data/)
    click('wizard-job-file-odd-no')
    await waitFor(() => { expect(all('wizard-job-file-odd')).toHaveLength(0) })
    expect(value('wizard-name')).toBe('My model')
  })
})

test('the review names the model in words', async () => {
  await toModel()
  await settled()
  for (const step of [1, 2]) { void step; click('wizard-next') }
  expect((await find('wizard-review')).textContent).toContain('1×28×28 – conv 8 5×5 – max 2 – conv 16 5×5 – max 2 – 64 – 10')
})

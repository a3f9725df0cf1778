import { fireEvent } from '@solidjs/testing-library'
import { describe, expect, test } from 'vitest'
import type { FieldError } from '../../src/bridge/api.ts'
import { parseJobJson, templateErrors } from '../../src/core/training/jobJson.ts'
import { place } from '../../src/ui/views/wizardFiles.ts'
import { emptyDraft, readFields, restoreDraft, writeField } from '../../src/ui/views/wizardDraft.ts'
import { parseObject, print } from '../../src/ui/views/wizardJson.ts'
import { fitToData } from '../../src/ui/views/wizardPresets.ts'
import { CREDIT, MY_JOB, PAID_JOB } from './fakeNode.ts'
import { hex } from './hex.ts'
import { all, choose, click, errorOf, find, get, open, text, type, waitFor, type Opened } from './support.tsx'

const CSV = new File(['1,2,a\n3,4,b\n'], 'letters.csv', { type: 'text/csv' })
const value = (testid: string): string => (get(testid) as HTMLInputElement).value
const refuse = (...errors: FieldError[]) => async () => ({ ok: false as const, errors })

async function wizard (balance = 100n * CREDIT): Promise<Opened> {
  const opened = await open('jobs/new', { balance })
  await find('wizard')
  return opened
}

async function toModel (): Promise<void> {
  choose('wizard-files', [CSV])
  await find('wizard-preview')
  click('wizard-next')
  await find('wizard-model')
}

/** The model step with a perceptron. */
async function toDense (): Promise<void> {
  await toModel()
  click('wizard-kind-mlp')
  await find('wizard-hidden')
}

describe('wizard: data', () => {
  test('a file is read at once and shown', async () => {
    const { node } = await wizard()
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
    choose('wizard-files', [CSV])
    expect((await find('wizard-preview')).textContent).toMatch(/70,000 records read.*60,000 train.*10,000 are held out.*28 × 28/)
    const files = node.called('previewData')[0]?.[0] as { kind: string, trainFeatures: { name: string, bytes: Uint8Array } }
    expect(files.kind).toBe('csv')
    expect(new TextDecoder().decode(files.trainFeatures.bytes)).toBe('1,2,a\n3,4,b\n')
    expect(get('wizard-next').hasAttribute('disabled')).toBe(false)
  })

  test('a bad file is refused at its slot with the line, and the entries stay', async () => {
    const { node } = await wizard()
    node.answer('previewData', refuse({ field: 'trainFeatures', message: 'expected a number, found "x7"', line: 4_012 }, { field: 'labelColumn', message: 'no column is named "kind"' }))
    type('wizard-label-column', 'kind')
    choose('wizard-files', [CSV])
    expect((await find('wizard-file-error')).textContent).toBe('Line 4,012: expected a number, found "x7".')
    expect(errorOf('wizard-label-column')).toBe('No column is named "kind".')
    expect(value('wizard-label-column')).toBe('kind')
    expect(document.body.textContent).toContain('letters.csv')
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
  })

  const file = (name: string): File => new File(['x'], name)
  const names = (chosen: ReturnType<typeof place>): Record<string, string> => Object.fromEntries(Object.entries(chosen).map(([slot, f]) => [slot, f.name]))

  test('files that are chosen at once find their places by name', () => {
    const idx = ['t10k-labels-idx1-ubyte.gz', 'train-images-idx3-ubyte.gz', 't10k-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz']
    expect(names(place('idx', {}, idx.map(file)))).toEqual({ testLabels: idx[0], trainFeatures: idx[1], testFeatures: idx[2], trainLabels: idx[3] })
    expect(names(place('csv', {}, [file('a.csv'), file('b.csv')]))).toEqual({ trainFeatures: 'a.csv', testFeatures: 'b.csv' })
    expect(['latest.csv', 'contest.csv', 'iris_test.csv', 'test-set.csv', 'X2test.csv'].map(n => Object.keys(place('csv', {}, [file(n)]))[0])).toEqual(['trainFeatures', 'trainFeatures', 'testFeatures', 'testFeatures', 'testFeatures'])
  })

  test('a file that comes later takes the place of the one before it', () => {
    const before = { trainFeatures: file('a.csv') }
    expect(names(place('csv', before, [file('b.csv')]))).toEqual({ trainFeatures: 'b.csv' })
    expect(names(place('csv', before, [file('b-test.csv')]))).toEqual({ trainFeatures: 'a.csv', testFeatures: 'b-test.csv' })
    expect(names(place('csv', { ...before, testFeatures: file('old-test.csv') }, [file('new-test.csv')]))).toEqual({ trainFeatures: 'a.csv', testFeatures: 'new-test.csv' })
    expect(names(place('csv', before, [file('b.csv')], [], 'testFeatures'))).toEqual({ trainFeatures: 'a.csv', testFeatures: 'b.csv' })
    // Names that say nothing fill what is needed first.
    expect(names(place('idx', { trainFeatures: file('one.bin') }, [file('two.bin')]))).toEqual({ trainFeatures: 'one.bin', trainLabels: 'two.bin' })
  })

  test('after a mistaken column a replacement replaces, and what is held out can be removed', async () => {
    const { node } = await wizard()
    type('wizard-label-column', 'kind')
    node.answer('previewData', refuse({ field: 'labelColumn', message: 'there is no label column "kind"' }))
    choose('wizard-files', [CSV])
    await waitFor(() => { expect(errorOf('wizard-label-column')).toMatch(/no label column/) })
    choose('wizard-files', [file('other.csv')])
    await waitFor(() => { expect(text('wizard-chosen-trainFeatures')).toContain('other.csv') })
    expect(text('wizard-chosen-testFeatures')).toBe('none')
    choose('wizard-file-testFeatures', [file('held.csv')])
    await waitFor(() => { expect(text('wizard-chosen-testFeatures')).toContain('held.csv') })
    click('wizard-remove-testFeatures')
    expect(text('wizard-chosen-testFeatures')).toBe('none')
    expect(document.activeElement).toBe(get('wizard-file-testFeatures'))
    await waitFor(() => { expect(node.called('previewData').at(-1)?.[0]).toMatchObject({ trainFeatures: { name: 'other.csv' }, testFeatures: undefined }) })
  })

  test('files and preview are there after a step back, another kind of data and another view', async () => {
    const { go } = await wizard()
    await toModel()
    click('wizard-back')
    await find('wizard-preview')
    expect(text('wizard-chosen-trainFeatures')).toContain('letters.csv')
    get('wizard-source-idx').click()
    await waitFor(() => { expect(all('wizard-preview')).toHaveLength(0) })
    get('wizard-source-csv').click()
    await find('wizard-preview')
    expect(text('wizard-chosen-trainFeatures')).toContain('letters.csv')
    await go('wallet')
    await find('send-form')
    await go('jobs/new')
    await find('wizard-preview')
    expect(text('wizard-chosen-trainFeatures')).toContain('letters.csv')
  })

  test('a key press in the column keeps the preview; the files are read again once the entry is finished', async () => {
    const { node } = await wizard()
    choose('wizard-files', [CSV])
    await find('wizard-preview')
    type('wizard-label-column', 'k')
    expect(all('wizard-preview')).toHaveLength(1)
    expect(text('wizard-stale')).toMatch(/read with the last column/)
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
    type('wizard-label-column', '')
    expect(all('wizard-stale')).toHaveLength(0)
    expect(get('wizard-next').hasAttribute('disabled')).toBe(false)
    expect(node.called('previewData')).toHaveLength(1)
    type('wizard-label-column', 'kind')
    fireEvent.change(get('wizard-label-column'))
    await waitFor(() => { expect(node.called('previewData').at(-1)?.[0]).toMatchObject({ labelColumn: 'kind' }) })
    await waitFor(() => { expect(all('wizard-stale')).toHaveLength(0) })
    expect(get('wizard-next').hasAttribute('disabled')).toBe(false)
  })

  test('IDX without labels says what is still needed and reads nothing', async () => {
    const { node } = await wizard()
    get('wizard-source-idx').click()
    await waitFor(() => { get('wizard-file-trainLabels') })
    choose('wizard-file-trainFeatures', [new File(['x'], 'train-images.gz')])
    await waitFor(() => { expect(document.body.textContent).toContain('Still needed: training labels') })
    expect(node.called('previewData')).toHaveLength(0)
  })

  test('files for holding out alone say what is still needed', async () => {
    await wizard()
    choose('wizard-files', [new File(['x'], 'flowers-test.csv')])
    await waitFor(() => { expect(document.body.textContent).toContain('Still needed: records') })
    expect(get('wizard-read').hasAttribute('disabled')).toBe(true)
  })

  test('the file that follows a refused one takes its place', async () => {
    const { node } = await wizard()
    node.answer('previewData', refuse({ field: 'trainFeatures', message: 'the file is empty' }))
    choose('wizard-files', [new File([''], 'empty.csv')])
    await find('wizard-file-error')
    choose('wizard-files', [CSV])
    await waitFor(() => { expect(node.called('previewData')).toHaveLength(2) })
    const files = node.called('previewData')[1]?.[0] as { trainFeatures: { name: string }, testFeatures?: unknown }
    expect(files.trainFeatures.name).toBe('letters.csv')
    expect(files.testFeatures).toBeUndefined()
  })

  test('starting over asks first, and lets go of the files', async () => {
    await wizard()
    click('wizard-reset')
    expect(all('wizard-reset-confirm')).toHaveLength(0)
    choose('wizard-files', [CSV])
    await find('wizard-preview')
    click('wizard-reset')
    await find('wizard-reset-confirm')
    click('wizard-reset-confirm-no')
    await waitFor(() => { expect(all('wizard-reset-confirm')).toHaveLength(0) })
    expect(all('wizard-preview')).toHaveLength(1)
    click('wizard-reset')
    await find('wizard-reset-confirm')
    click('wizard-reset-confirm-yes')
    await waitFor(() => { expect(all('wizard-preview')).toHaveLength(0) })
    expect(get('wizard').textContent).not.toContain('letters.csv')
  })
})

describe('wizard: model', () => {
  test('errors stand at their fields, and every entry stays', async () => {
    const { node } = await wizard()
    await toDense()
    node.answer('checkJob', refuse({ field: 'architecture.hidden_sizes', message: 'must be a whole number from 1 to 4096, is 9000', line: 5 }, { field: 'dataset_info.size', message: 'says 5, the data has 60000' }))
    type('wizard-name', 'Mine')
    type('wizard-hidden', '9000, 12')
    await waitFor(() => { expect(errorOf('wizard-hidden')).toMatch(/from 1 to 4096, is 9000/) })
    expect(text('wizard-model-error')).toContain('dataset_info.size')
    expect(value('wizard-name')).toBe('Mine')
    expect(value('wizard-hidden')).toBe('9000, 12')
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
  })

  test('a job without a name is refused, and so is what is no number, in words for whoever typed it', async () => {
    await wizard()
    await toDense()
    type('wizard-name', ' ')
    expect(errorOf('wizard-name')).toMatch(/^Give the job a name/)
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
    type('wizard-name', 'Mine')
    type('wizard-hidden', '128, abc')
    expect(errorOf('wizard-hidden')).toBe('“abc” is no width. Enter whole numbers with commas between them, such as 128, 64.')
    type('wizard-hidden', '128')
    type('wizard-epochs', 'abc')
    expect(errorOf('wizard-epochs')).toBe('Enter a whole number, such as 10.')
    type('wizard-epochs', '')
    expect(errorOf('wizard-epochs')).toBe('Enter a whole number, such as 10.')
    type('wizard-epochs', '3')
    await waitFor(() => { expect(get('wizard-next').hasAttribute('disabled')).toBe(false) })
    get('wizard-mode-json').click()
    const json = (await find('wizard-json') as HTMLTextAreaElement).value
    type('wizard-json', json.replace('"name": "Mine",', ''))
    expect(text('wizard-model-error')).toMatch(/name: Give the job a name/)
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
  })

  test('form and JSON are two faces of one thing', async () => {
    await wizard()
    await toDense()
    type('wizard-batch', '64')
    type('wizard-rate', '0.0005')
    get('wizard-mode-json').click()
    const json = (await find('wizard-json') as HTMLTextAreaElement).value
    expect(JSON.parse(json)).toMatchObject({ dataset_info: { batch_size: 64 }, optimizer: { type: 'adam', learning_rate: 0.0005 }, architecture: { input_size: 784, output_size: 10 } })
    type('wizard-json', json.replace('0.0005', '0.002').replace('"My model"', '"From the file"'))
    get('wizard-mode-form').click()
    await find('wizard-name')
    expect(value('wizard-name')).toBe('From the file')
    expect(value('wizard-rate')).toBe('0.002')
  })

  test('broken JSON is kept as typed and the way back is offered', async () => {
    const { node } = await wizard()
    await toDense()
    node.answer('checkJob', refuse({ field: 'json', message: 'line 3, column 7: expected a comma', line: 3 }))
    get('wizard-mode-json').click()
    await find('wizard-json')
    type('wizard-json', '{ "name": "half')
    await waitFor(() => { expect(text('wizard-model-error')).toMatch(/json: line 3, column 7: expected a comma/) })
    get('wizard-mode-form').click()
    await waitFor(() => { expect(document.body.textContent).toContain('not valid JSON') })
    get('wizard-mode-json').click()
    expect((await find('wizard-json') as HTMLTextAreaElement).value).toBe('{ "name": "half')
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
  })
})

describe('wizard: price and posting', () => {
  test('price in credits, confirmed with everything, posted in grains', async () => {
    const { node } = await wizard()
    await toModel()
    await waitFor(() => { get('wizard-checked') })
    click('wizard-next')
    await find('wizard-escrow')
    type('wizard-escrow', '30')
    type('wizard-price', '0.1')
    await waitFor(() => { expect(text('wizard-pays')).toBe('300') })
    expect(text('wizard-total')).toBe('30.501')
    expect(text('wizard-left')).toBe('69.499')
    click('wizard-next')
    await find('wizard-review')
    click('wizard-post')
    expect((await find('wizard-confirm')).textContent).toMatch(/30\.501 credits.*69\.499 credits/)
    expect(node.called('postJob')).toHaveLength(0)
    click('wizard-confirm-yes')
    await waitFor(() => { expect(node.called('postJob')).toHaveLength(1) })
    expect(node.called('postJob')[0]?.[0]).toMatchObject({ data: hex('data'), escrow: 30n * CREDIT, pricePerContribution: 100_000n, burn: 500_000n, deadlineBlocks: 5_000, fee: 1_000n })
    await find('job-detail')
    expect(window.location.hash).toBe(`#/jobs/${MY_JOB}`)
  })

  test('says how far the escrow reaches, and warns where it is short of the whole training', async () => {
    await wizard()
    await toModel()
    await waitFor(() => { get('wizard-checked') })
    const rounds = Number(text('wizard-rounds').match(/(\d+) rounds/)![1])
    const takes = (rounds * 20).toLocaleString('en')
    expect(text('wizard-checked')).toContain(`about ${takes} contributions with the 5 miners of today`)
    click('wizard-next')
    await find('wizard-escrow')
    type('wizard-price', '0.05')
    type('wizard-escrow', '10')
    await waitFor(() => { expect(text('wizard-pays')).toContain('200') })
    expect(text('wizard-short')).toContain(`${rounds} rounds take about ${takes} contributions with the 5 miners of today; this pays for 200: training ends after about 10 rounds. An escrow of ${rounds} credits pays for all at this price.`)
    type('wizard-escrow', String(rounds))
    await waitFor(() => { expect(all('wizard-short')).toHaveLength(0) })
    expect(text('wizard-cover')).toContain(`20 a round. More miners bring more, up to 32 a round; with so many, this pays for about ${Math.ceil(rounds * 20 / 32)} rounds.`)
    type('wizard-escrow', '10')
    await find('wizard-short')
    click('wizard-next')
    expect((await find('wizard-review')).textContent).toMatch(/Pays for200 contributions\. \d+ rounds take about .*training ends after about 10 rounds/)
  })

  test('an amount that is none is refused at its field', async () => {
    await wizard()
    await toModel()
    await waitFor(() => { get('wizard-checked') })
    click('wizard-next')
    await find('wizard-escrow')
    type('wizard-burn', 'a lot')
    type('wizard-deadline', '-3')
    await waitFor(() => { expect(errorOf('wizard-burn')).toMatch(/such as 12/) })
    expect(errorOf('wizard-deadline')).toMatch(/lies ahead/)
    expect(get('wizard-next').hasAttribute('disabled')).toBe(true)
    expect(value('wizard-burn')).toBe('a lot')
    type('wizard-deadline', '')
    expect(errorOf('wizard-deadline')).toMatch(/^Enter in how many blocks/)
    type('wizard-deadline', 'soon')
    expect(errorOf('wizard-deadline')).toMatch(/whole number of blocks/)
    type('wizard-escrow', '9'.repeat(30))
    expect(errorOf('wizard-escrow')).toBe('This is more than all the credits there can ever be.')
  })

  test('without the credits one is told how to earn them and cannot post', async () => {
    await wizard(0n)
    await toModel()
    await waitFor(() => { get('wizard-checked') })
    click('wizard-next')
    expect((await find('not-enough')).textContent).toMatch(/takes 20\.501, you can spend 0.*earns credits.*kept/)
    click('wizard-next')
    await find('wizard-review')
    expect(get('wizard-post').hasAttribute('disabled')).toBe(true)
  })

  test('a refused job stays in the form', async () => {
    const { node } = await wizard()
    await toModel()
    await waitFor(() => { get('wizard-checked') })
    click('wizard-next')
    await find('wizard-escrow')
    click('wizard-next')
    await find('wizard-review')
    node.answer('postJob', refuse({ field: 'job', message: 'four jobs are active already' }))
    click('wizard-post')
    await find('wizard-confirm')
    click('wizard-confirm-yes')
    expect((await find('wizard-refused')).textContent).toContain('four jobs are active already')
    expect(JSON.parse(window.sessionStorage.getItem('commonweight.wizard') ?? '{}')).toMatchObject({ step: 3 })
  })

  test('a draft comes back after a reload, with the files to choose again', async () => {
    window.sessionStorage.setItem('commonweight.wizard', JSON.stringify({ step: 2, source: 'csv', labelColumn: 'kind', json: '{"name":"Kept"}', price: { escrow: '7' } }))
    await wizard()
    expect(text('wizard-restored')).toContain('choose them again')
    expect(value('wizard-label-column')).toBe('kind')
  })
})

describe('draft', () => {
  test('a field writes its key and leaves the others', () => {
    const root = parseObject('{"name":"a","custom":1,"architecture":{"input_size":4,"hidden_sizes":[8],"output_size":3}}')!
    const changed = writeField(root, 'hidden', '16, 8')
    expect(changed).toEqual({ name: 'a', custom: 1, architecture: { input_size: 4, hidden_sizes: [16, 8], output_size: 3 } })
    expect(writeField(changed, 'steps', '').training).toBeUndefined()
    expect(writeField(changed, 'steps', '64').training).toEqual({ steps_per_slice: 64 })
    expect(readFields(writeField(changed, 'learningRate', 'fast')).learningRate).toBe('fast')
    expect(print(changed)).toContain('[16, 8]')
  })

  test('data sets the widths at both ends', () => {
    expect(fitToData({ dataset_info: { size: 1 } }, { features: 4, classes: 3, trainRecords: 120 })).toEqual({ dataset_info: { size: 120 }, architecture: { input_size: 4, output_size: 3 } })
  })

  test('the model it proposes costs enough for a slice, whatever the data', () => {
    const smallest = { source: 1, root: new Uint8Array(32), trainRecords: 32, testRecords: 1, features: 1, classes: 2 }
    for (const data of [smallest, { ...smallest, trainRecords: 60_000, features: 784, classes: 10 }]) {
      const job = parseJobJson(print(fitToData(parseObject(emptyDraft().json)!, data)))
      expect(job.ok && templateErrors(job.value, data)).toEqual([])
    }
  })

  test('garbage in storage gives the default', () => {
    for (const text of ['', 'null', '[]', '{"price":5,"json":7}', '{']) expect(restoreDraft(text).source).toBe('csv')
  })
})

describe('jobs', () => {
  test('the benchmark is first, and status is in words', async () => {
    await open('jobs')
    await waitFor(() => { expect(all('job-row')).toHaveLength(3) })
    expect(all('job-row')[0]?.textContent).toContain('benchmark')
    expect(all('job-row')[2]?.textContent).toMatch(/yours.*Waiting for data/)
  })

  test('only the own job can be cancelled, after a confirmation', async () => {
    const { node, go } = await open(`jobs/${PAID_JOB}`)
    await find('job-detail')
    expect(all('job-cancel')).toHaveLength(0)
    await go(`jobs/${MY_JOB}`)
    await find('job-cancel')
    click('job-cancel')
    expect((await find('job-cancel-confirm')).textContent).toContain('gets back about 10 credits')
    expect(node.called('cancelJob')).toHaveLength(0)
    click('job-cancel-confirm-yes')
    await waitFor(() => { expect(node.called('cancelJob')).toEqual([[MY_JOB]]) })
  })

  test('a job that is being cancelled says until when it goes on, and is not cancelled twice', async () => {
    const { node } = await open(`jobs/${PAID_JOB}`)
    await find('job-detail')
    const { jobs, height } = node.current()
    node.show({ jobs: jobs.map(j => j.id === PAID_JOB ? { ...j, mine: true, cancelsAt: height + 6 } : j) })
    expect((await find('job-cancels')).textContent).toContain(`block ${height + 6}, in about 1 min`)
    expect(text('job-detail')).toMatch(/Being cancelled.*work already sealed is paid/)
    expect(all('job-cancel')).toHaveLength(0)
  })

  test('an evaluation shows accuracy and the confusion matrix', async () => {
    await open(`jobs/${PAID_JOB}`)
    await find('job-detail')
    click('job-evaluate')
    expect((await find('job-evaluation')).textContent).toMatch(/94\.30 % right: 1,886 of 2,000 records\. Loss 0\.188\.$/)
    expect(get('confusion').querySelectorAll('tbody tr').length).toBeGreaterThan(2)
  })
})

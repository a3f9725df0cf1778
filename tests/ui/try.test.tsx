import { fireEvent } from '@solidjs/testing-library'
import { describe, expect, test } from 'vitest'
import type { OpenedModel } from '../../src/bridge/api.ts'
import type { Table } from '../../src/core/training/table.ts'
import { renderBootError, renderUnsupported, REASONS } from '../../src/ui/boot.tsx'
import { centreInk, inkFromRgba } from '../../src/ui/digits.ts'
import { ago, bytes, credits, duration, inCredits, percent, si } from '../../src/ui/format.ts'
import { parseValues, splitRow } from '../../src/ui/parts/Values.tsx'
import { colourPixels, type FakeNode, makeView, MY_JOB, PAID_JOB } from './fakeNode.ts'
import { backendReason } from '../../src/ui/words.ts'
import { all, choose, click, find, get, open, text, waitFor } from './support.tsx'

describe('try', () => {
  test('a held-out record is asked with the keyboard alone and compared with the truth', async () => {
    const { node } = await open('try')
    await find('try-canvas')
    click('try-sample')
    expect((await find('try-label')).textContent).toBe('3')
    expect(all('try-bar')).toHaveLength(10)
    expect(all('try-bar').reduce((sum, b) => sum + Number(b.dataset['share']), 0)).toBeCloseTo(1)
    expect(text('try-answer')).toMatch(/truth: 3 right/)
    expect(node.called('predict')).toHaveLength(1)
  })

  test('records that are no pictures get fields', async () => {
    const { node } = await open(`try/${MY_JOB}`)
    const form = await find('try-values')
    expect(form.querySelectorAll('input')).toHaveLength(4)
    expect(all('try-canvas')).toHaveLength(0)
    form.querySelector('button')?.click()
    expect((await find('try-label')).textContent).toBe('versicolor')
    expect(node.called('predict')[0]?.[1]).toEqual(new Uint8Array(4))
  })

  test('a convolutional model is drawn to, and shows what it sees', async () => {
    const { node } = await open(`try/${PAID_JOB}`)
    await find('try-canvas')
    click('try-sample')
    await find('try-label')
    const seen = get('try-answer').querySelector('canvas')
    expect([seen?.width, seen?.height, seen?.dataset['channels']]).toEqual([28, 28, '1'])
    expect((node.called('predict')[0]?.[1] as Uint8Array).length).toBe(784)
  })

  test('pictures in colour are asked and shown in colour', async () => {
    const { node } = await open(`try/${PAID_JOB}`, { colour: true })
    await find('try-canvas')
    expect(document.body.textContent).toContain('cropped to their middle and scaled to 32 × 32')
    click('try-sample')
    await find('try-label')
    expect(get('try-answer').querySelector('canvas')?.dataset['channels']).toBe('3')
    expect(node.called('predict')[0]?.[1]).toEqual(colourPixels(3))
  })

  test('without the data, the model says what a record is', async () => {
    const refuse = async (): Promise<{ ok: false, errors: Array<{ field: string, message: string }> }> => ({ ok: false, errors: [{ field: 'data', message: 'The data is not here.' }] })
    await open(`try/${PAID_JOB}`, { colour: true }, {}, node => { node.answer('sample', refuse) })
    await find('try-canvas')
    expect(document.body.textContent).toContain('scaled to 32 × 32')
    expect(all('try-values')).toHaveLength(0)
  })

  test('no model, no guess: the reason is shown', async () => {
    const { node } = await open('try')
    await find('try-canvas')
    node.answer('predict', async () => ({ ok: false, errors: [{ field: 'job', message: 'The state of this job is not here yet.' }] }))
    click('try-sample')
    await waitFor(() => { expect(text('try-error')).toContain('not here yet') })
    expect(all('try-label')).toHaveLength(0)
  })

  test('values are checked one by one', () => {
    expect(parseValues('1, 2 3;255', 4)).toEqual({ ok: true, value: Uint8Array.of(1, 2, 3, 255) })
    expect(parseValues('1 2 3', 4)).toEqual({ ok: false, error: 'Expected 4 values, found 3.' })
    for (const bad of ['256', '-1', '1.5', 'x', '?']) expect(parseValues(`0 ${bad}`, 2)).toMatchObject({ ok: false })
  })
})

describe('try with the columns of a table', () => {
  const table: Table = { columns: [{ name: 'weight', least: '0.5', greatest: '6.5' }, { name: 'legs', least: '4', greatest: '4' }, { name: 'ear', least: '-2', greatest: '9' }, { name: 'tail', least: '10', greatest: '40' }], classes: ['cat', 'dog'] }
  const prediction = { probabilities: [0.8, 0.2], label: 0, classNames: table.classes }
  const known = (node: FakeNode): void => {
    node.answer('table', async () => table)
    node.answer('predictRow', async (_, row) => ({ ok: true, value: { ...prediction, features: Uint8Array.of(255, 0, 7, 9), outside: row[0] === '9' ? [0] : [] } }))
  }
  const input = (i: number): HTMLInputElement => get('try-values').querySelectorAll('input')[i]!
  const submit = (): void => { get('try-values').querySelector('button')?.click() }

  test('a job of one\'s own takes raw values under the columns\' names, and answers with a class', async () => {
    const { node } = await open(`try/${MY_JOB}`, {}, {}, known)
    const form = await find('try-values')
    expect([...form.querySelectorAll('label')].map(l => l.textContent)).toEqual(['weight', 'legs', 'ear', 'tail'])
    expect([...form.querySelectorAll('.field-hint')].map(h => h.textContent)).toEqual(['0.5 to 6.5 in training', 'always 4 in training', '-2 to 9 in training', '10 to 40 in training'])
    expect(form.textContent).toContain('go along in a model file')
    expect(input(0).value).toBe('0.5')
    fireEvent.input(input(0), { target: { value: '2.25' } })
    submit()
    expect((await find('try-label')).textContent).toBe('cat')
    expect(node.called('predictRow')).toEqual([[MY_JOB, ['2.25', '4', '-2', '10']]])
    expect(all('try-outside')).toHaveLength(0)
  })

  test('a value outside the range of training is said to be taken as its end', async () => {
    await open(`try/${MY_JOB}`, {}, {}, known)
    await find('try-values')
    fireEvent.input(input(0), { target: { value: '9' } })
    submit()
    expect((await find('try-outside')).textContent).toContain('weight: 9 was taken as 6.5.')
  })

  test('a held-out record is shown in the units of the table', async () => {
    const { node } = await open(`try/${MY_JOB}`, {}, {}, n => {
      known(n)
      n.answer('sample', async () => ({ ok: true, value: { features: Uint8Array.of(120, 0, 210, 96), label: 1, channels: 1, width: 2, height: 2, className: 'dog', row: ['3.3', '4', '7.1', '21'] } }))
    })
    await find('try-values')
    click('try-sample')
    await find('try-label')
    expect([0, 1, 2, 3].map(i => input(i).value)).toEqual(['3.3', '4', '7.1', '21'])
    expect(node.called('predict')).toEqual([[MY_JOB, Uint8Array.of(120, 0, 210, 96)]])
    expect(text('try-answer')).toContain('truth: dog')
  })

  test('a model file brings them along, and is closed again', async () => {
    const opened: OpenedModel = { id: 'file-1', name: 'Pets', job: MY_JOB, round: 40, stateHash: 'ab', model: '4 – 16 – 2', input: { channels: 4, height: 1, width: 1 }, features: 4, classes: 2 }
    const { node } = await open('try', {}, {}, n => {
      n.answer('openModel', async () => ({ ok: true, value: opened }))
      n.answer('table', async id => id === 'file-1' ? table : undefined)
      n.answer('predictRow', async () => ({ ok: true, value: { ...prediction, features: new Uint8Array(4), outside: [] } }))
    })
    await find('try-canvas')
    choose('try-model-file', [new File([Uint8Array.of(1, 2, 3)], 'pets-round-40.cwmodel')])
    expect((await find('try-opened')).textContent).toBe('From a file: Pets, 4 – 16 – 2.')
    await find('try-values')
    expect(node.called('openModel')).toEqual([[Uint8Array.of(1, 2, 3)]])
    expect(all('try-sample')).toHaveLength(0)
    expect(text('try-values')).not.toContain('go along')
    submit()
    expect((await find('try-label')).textContent).toBe('cat')
    expect(node.called('predictRow')[0]?.[0]).toBe('file-1')
    expect(text('try-answer')).toMatch(/Round 40\.$/)
    click('try-model-close')
    await find('try-canvas')
  })

  test('a file that is none is refused with the reason', async () => {
    await open('try')
    choose('try-model-file', [new File(['x'], 'notes.txt')])
    expect((await find('try-model-error')).textContent).toContain('notes.txt: this is no model file that can be read')
  })

  test('many columns are a list with their order and ranges beside it', async () => {
    const columns = Array.from({ length: 40 }, (_, i) => ({ name: `c${i}`, least: '0', greatest: `${i}.5` }))
    const jobs = makeView().jobs.map(j => j.id === MY_JOB ? { ...j, features: 40 } : j)
    const { node } = await open(`try/${MY_JOB}`, {}, {}, n => { known(n); n.answer('table', async () => ({ ...table, columns })); n.show({ jobs }) })
    const form = await find('try-values')
    expect(form.querySelectorAll('li')[39]?.textContent).toBe('c39: 0 to 39.5 in training')
    submit()
    await find('try-label')
    expect(node.called('predictRow')).toEqual([[MY_JOB, columns.map(() => '0')]])
    expect(splitRow('1.5; -2e3 x', 3)).toEqual({ ok: true, value: ['1.5', '-2e3', 'x'] })
    expect(splitRow('1', 2)).toEqual({ ok: false, error: 'Expected 2 values, found 1.' })
  })
})

describe('centring', () => {
  const paper = (width: number, height: number, ink: (x: number, y: number) => boolean, dark = false): Uint8ClampedArray => {
    const out = new Uint8ClampedArray(width * height * 4)
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out.set(ink(x, y) !== dark ? [0, 0, 0, 255] : [255, 255, 255, 255], (y * width + x) * 4)
    return out
  }
  const mass = (image: Uint8Array): { x: number, y: number, box: [number, number] } => {
    let m = 0; let mx = 0; let my = 0; let left = 28; let right = -1; let top = 28; let bottom = -1
    for (let i = 0; i < 784; i++) {
      const v = image[i]!
      if (v === 0) continue
      const x = i % 28; const y = Math.floor(i / 28)
      m += v; mx += v * (x + 0.5); my += v * (y + 0.5)
      if (v > 100) { left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y) }
    }
    return { x: mx / m, y: my / m, box: [right - left + 1, bottom - top + 1] }
  }

  test('a small stroke in a corner fills a box of 20 around the middle', () => {
    const image = centreInk(inkFromRgba(200, 150, paper(200, 150, (x, y) => x >= 10 && x < 16 && y >= 5 && y < 45)), 28, 28)!
    const found = mass(image)
    expect(found.x).toBeCloseTo(14, 0)
    expect(found.y).toBeCloseTo(14, 0)
    // 6 : 40 keeps its proportions; three pixels wide, or four where it lies across a border.
    expect(found.box[0]).toBeGreaterThanOrEqual(3)
    expect(found.box[0]).toBeLessThanOrEqual(4)
    expect(found.box[1]).toBe(20)
  })

  test('the centre of mass, not of the box, is in the middle', () => {
    // An L: most of the ink is low and left.
    const image = centreInk(inkFromRgba(100, 100, paper(100, 100, (x, y) => (x >= 20 && x < 30 && y >= 10 && y < 90) || (y >= 80 && y < 90 && x >= 20 && x < 70))), 28, 28)!
    const found = mass(image)
    expect(Math.abs(found.x - 14)).toBeLessThan(0.3)
    expect(Math.abs(found.y - 14)).toBeLessThan(0.3)
  })

  test('light strokes on dark paper give the same record', () => {
    const shape = (x: number, y: number): boolean => x > 30 && x < 40 && y > 20 && y < 80
    expect(centreInk(inkFromRgba(100, 100, paper(100, 100, shape, true)), 28, 28)).toEqual(centreInk(inkFromRgba(100, 100, paper(100, 100, shape)), 28, 28))
  })

  test('an empty sheet asks nothing', () => {
    expect(centreInk(inkFromRgba(50, 50, paper(50, 50, () => false)), 28, 28)).toBeUndefined()
    expect(centreInk(inkFromRgba(10, 10, new Uint8ClampedArray(400)), 28, 28)).toBeUndefined()
  })
})

describe('formats', () => {
  test('as people read them', () => {
    expect([0n, 1n, 1_500_000n, 1_234_567_000_000n, -4_001_000n].map(credits)).toEqual(['0', '0.000001', '1.5', '1,234,567', '−4.001'])
    expect([0n, 1_000_000n, 1_500_000n].map(inCredits)).toEqual(['0 credits', '1 credit', '1.5 credits'])
    expect([0, 7.25, 1_843, 18_900_000_000].map(si)).toEqual(['0 ', '7.25 ', '1.84 k', '18.9 G'])
    expect([500, 9_640, 83_000, 4_000_000, 90_000_000].map(duration)).toEqual(['500 ms', '9.6 s', '1 min 23 s', '1 h 6 min', '1 d 1 h'])
    expect([0, 1_023, 46 * 1_048_576].map(bytes)).toEqual(['0 B', '1023 B', '46.0 MiB'])
    expect([percent(0.93124), percent(undefined), percent(Number.NaN)]).toEqual(['93.1 %', '–', '–'])
    expect([ago(1_000, 1_500), ago(1_000, 46_000), ago(0, 1)]).toEqual(['just now', '45 s ago', 'at the start'])
  })
})

describe('before the app', () => {
  test('each thing that may be missing is named with the way to get it', () => {
    const root = document.createElement('div')
    document.body.append(root)
    const stop = renderUnsupported(root, REASONS)
    expect(root.querySelectorAll('[data-reason]')).toHaveLength(REASONS.length)
    expect(root.querySelector('[data-reason="insecure-context"]')?.textContent).toMatch(/localhost.*ssh -L.*https/)
    for (const r of root.querySelectorAll('[data-reason]')) expect(r.textContent).toContain('How to get it')
    stop()
  })

  test('a failed start says what happened and that nothing is lost', () => {
    const root = document.createElement('div')
    document.body.append(root)
    const stop = renderBootError(root, new Error('no answer from the worker'))
    expect(get('boot-error').textContent).toMatch(/no answer from the worker.*untouched/)
    stop()
  })
})

describe('logs', () => {
  test('DEBUG is asked of the node, and the filter narrows', async () => {
    const { node } = await open('logs')
    await waitFor(() => { expect(all('log-row').length).toBeGreaterThan(20) })
    const info = all('log-row').length
    get('log-level-debug').click()
    await waitFor(() => { expect(node.called('setLogLevel')).toEqual([['debug']]) })
    expect(all('log-row').length).toBeGreaterThan(info)
    const filter = get('log-filter') as HTMLInputElement
    filter.value = 'wrong-result'
    filter.dispatchEvent(new Event('input', { bubbles: true }))
    await waitFor(() => { expect(all('log-row').every(r => r.textContent?.includes('wrong-result'))).toBe(true) })
  })
})

describe('settings', () => {
  test('where the browser’s account of the disk cannot be true, the page says that it shows its own', async () => {
    const { node, go } = await open('settings')
    await find('storage-used')
    expect(all('storage-own-count')).toHaveLength(0)
    node.show({ storage: { used: 19_000_000, claimed: 4_294_000_000, quota: 10_756_418_240, persisted: true } })
    expect(text('storage-used')).toBe('18.1 MiB used of 10.0 GiB (0.2 %)')
    expect(text('storage-own-count')).toContain('This is the page’s own count. The browser says 4.0 GiB')
    await go('library/settings')
    expect((await find('limits')).textContent).toContain('up to 10.0 GiB in all, with all its tabs, by the page’s own count of what it stores: the browser’s, 4.0 GiB, cannot be true.')
  })

  test('what computes: which, why, and the choice', async () => {
    const { node } = await open('settings')
    expect((await find('backend-used')).textContent).toBe('CPU')
    expect(text('backend-reason')).toMatch(/the fastest works\. CPU is the only one that can work here\. All give the same bits\.$/)
    expect(text('backend-reports')).toMatch(/GPUnot here: no adapter.*CPU0\.54 ms a step/)
    get('backend-webgpu').click()
    await waitFor(() => { expect(node.called('setMining')).toEqual([[{ backend: 'webgpu' }]]) })
    const { compute } = makeView()
    node.show({
      compute: {
        ...compute, backend: 'webgpu', choice: 'auto',
        reports: [{ backend: 'webgpu', state: 'ready', detail: 'nvidia ada', stepMs: 0.21 }, { backend: 'wasm', state: 'ready', stepMs: 1.3 }]
      }
    })
    await waitFor(() => { expect(text('backend-reason')).toContain('GPU is used, measured against the others: GPU 0.21 ms, CPU 1.30 ms a step.') })
    expect(text('backend-reports')).toContain('0.21 ms a step on nvidia ada')
    const reason = (part: Partial<typeof compute>): string => backendReason({ ...compute, ...part })
    expect([reason({ reports: [] }), reason({ choice: 'wasm' }), reason({ choice: 'webgpu' })]).toEqual(['CPU is what usually works here.', 'CPU is your choice.', 'CPU works instead of your choice, which is GPU.'])
    node.show({ compute: { ...compute, selfTest: 'failed', reports: [{ backend: 'webgpu', state: 'wrong', failure: 'webgpu: golden slice "x" has correct 1, computed 2' }, { backend: 'wasm', state: 'ready', stepMs: 1.3 }] } })
    await waitFor(() => { expect(text('backend-reports')).toContain('not used, it computed wrong bits: golden slice "x" has correct 1, computed 2') })
  })

  test('asks the browser to keep the data, and says when it will not', async () => {
    let asked = 0
    await open('settings', {}, { persist: async () => { asked++; return asked > 1 } })
    await find('storage-persist')
    expect(text('persisted')).toBe('may be cleared')
    click('storage-persist')
    await waitFor(() => { expect(document.body.textContent).toContain('did not agree') })
    click('storage-persist')
    await waitFor(() => { expect(text('persisted')).toBe('kept') })
  })

  test('erasing names what is at stake and asks first', async () => {
    let erased = 0
    await open('settings', {}, { erase: async () => { erased++ } })
    await find('node-erase')
    click('node-erase')
    expect((await find('erase-confirm')).textContent).toMatch(/234\.3 credits.*no backup/)
    expect(get('erase-confirm').textContent).toMatch(/reloads by itself and begins anew, with a new key.*Other tabs of this site stop/)
    expect(erased).toBe(0)
    click('erase-confirm-yes')
    await waitFor(() => { expect(erased).toBe(1) })
  })

  test('the page that begins anew after that says so, once', async () => {
    window.sessionStorage.setItem('commonweight.erased', 'yes')
    await open('train')
    expect(text('erased')).toMatch(/Everything was erased.*a new key: your address is cw1/)
    expect(window.sessionStorage.getItem('commonweight.erased')).toBeNull()
    click('erased-dismiss')
    await waitFor(() => { expect(all('erased')).toHaveLength(0) })
  })

  test('stopping goes through the node and is said, and what is left to do is a reload', async () => {
    let reloads = 0
    const { node } = await open('settings', {}, { reload: () => { reloads++ } })
    ;(await find('node-stop')).focus()
    click('node-stop')
    await find('stop-confirm')
    expect(get('stop-confirm-no').getAttribute('aria-label') ?? text('stop-confirm-no')).toBe('Go back')
    click('stop-confirm-yes')
    await waitFor(() => { expect(node.called('stop')).toHaveLength(1) })
    await waitFor(() => { expect(get('phase').dataset['phase']).toBe('stopped') })
    await waitFor(() => { expect(all('stop-confirm')).toHaveLength(0) })
    expect(all('node-stop')).toHaveLength(0)
    expect(text('stopped-note')).toMatch(/has stopped.*Reload the page/)
    expect(text('peers-count')).toBe('0')
    expect(document.activeElement).toBe(get('node-reload'))
    click('node-reload')
    expect(reloads).toBe(1)
  })
})

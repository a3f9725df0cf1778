/**
 * The files of step 1: which file is which part of the data, and what was read of them. They are held
 * for as long as the page is open, so that a step back, another kind of data or another view loses none.
 */
import { createSignal, type Accessor } from 'solid-js'
import type { DatasetPreview, FieldError, JobFiles } from '../../bridge/api.ts'
import { MAX_DATASET_BYTES } from '../../core/params.ts'
import type { App } from '../context.tsx'
import { bytes } from '../format.ts'

/** Text is longer than the bytes it stands for; more than this is never read into memory. */
export const FILE_MAX_BYTES = MAX_DATASET_BYTES * 4

export type FileKind = 'csv' | 'idx'
export type Slot = 'trainFeatures' | 'trainLabels' | 'testFeatures' | 'testLabels'
export type Chosen = Partial<Readonly<Record<Slot, File>>>

export const SLOTS: Readonly<Record<FileKind, ReadonlyArray<{ readonly slot: Slot, readonly label: string, readonly needed: boolean }>>> = {
  csv: [{ slot: 'trainFeatures', label: 'Records', needed: true }, { slot: 'testFeatures', label: 'Held-out records', needed: false }],
  idx: [
    { slot: 'trainFeatures', label: 'Training images', needed: true }, { slot: 'trainLabels', label: 'Training labels', needed: true },
    { slot: 'testFeatures', label: 'Held-out images', needed: false }, { slot: 'testLabels', label: 'Held-out labels', needed: false }
  ]
}

/** What the name of a file says about its place; `told` where it says more than nothing. */
function namedSlot (name: string, kind: FileKind): { readonly slot: Slot, readonly told: boolean } {
  // At the start of a word only: latest.csv and contest.csv hold nothing out.
  const test = /(?<![a-z])(test|t10k|valid|held)/i.test(name)
  const labels = kind === 'idx' && /label|idx1/i.test(name)
  return { slot: test ? (labels ? 'testLabels' : 'testFeatures') : labels ? 'trainLabels' : 'trainFeatures', told: test || labels }
}

/** What is still needed before the files can be read. */
export function missingSlots (kind: FileKind, chosen: Chosen): readonly Slot[] {
  // Held-out images and their labels go together.
  const pair = kind === 'idx' && (chosen.testFeatures !== undefined || chosen.testLabels !== undefined)
  return SLOTS[kind].filter(s => (s.needed || pair) && chosen[s.slot] === undefined).map(s => s.slot)
}

/**
 * Files chosen at once each get a place of their own, by their names. A file that comes later takes the
 * place of the one before it: what is held out is chosen by its name or at its own place, never by
 * being second. `refused` are the places whose files could not be used.
 */
export function place (kind: FileKind, before: Chosen, files: Iterable<File>, refused: readonly Slot[] = [], into?: Slot): Chosen {
  const next: Partial<Record<Slot, File>> = { ...before }
  if (into === undefined) for (const slot of refused) delete next[slot]
  const taken = new Set<Slot>()
  for (const file of files) {
    const { slot: named, told } = namedSlot(file.name, kind)
    const free = (): Slot | undefined => SLOTS[kind].find(s => next[s.slot] === undefined)?.slot ?? SLOTS[kind].find(s => !taken.has(s.slot))?.slot
    const needed = (): Slot | undefined => SLOTS[kind].find(s => s.needed && next[s.slot] === undefined)?.slot
    const slot = into ?? (taken.has(named) ? free() : next[named] === undefined || told ? named : needed()) ?? named
    next[slot] = file
    taken.add(slot)
  }
  return next
}

interface FileSet {
  readonly chosen: Chosen
  readonly data?: DatasetPreview
  /** The column of the class that `data` was read with; empty: the last. */
  readonly column: string
  readonly errors: readonly FieldError[]
}

const NONE: FileSet = { chosen: {}, column: '', errors: [] }

export interface WizardFiles {
  readonly busy: Accessor<boolean>
  of(kind: FileKind): FileSet
  /** Another choice of files: what was read of the last one no longer holds. */
  choose(kind: FileKind, chosen: Chosen, column: string): void
  /** Another column is being typed: what was said about the last one goes, what was read stays in sight. */
  editColumn(kind: FileKind): void
  /** Reads what is chosen, if nothing is missing. */
  read(kind: FileKind, column: string): Promise<void>
  clear(): void
}

export function createWizardFiles (app: Pick<App, 'attempt' | 'node'>): WizardFiles {
  const [sets, setSets] = createSignal<Readonly<Record<FileKind, FileSet>>>({ csv: NONE, idx: NONE })
  const [busy, setBusy] = createSignal(false)
  /** Of several readings at once the last one counts. */
  let latest = 0
  const of = (kind: FileKind): FileSet => sets()[kind]
  const put = (kind: FileKind, part: Partial<FileSet>): void => { setSets(s => ({ ...s, [kind]: { ...s[kind], ...part } })) }
  const stop = (): void => { latest++; setBusy(false) }

  const read = async (kind: FileKind, column: string): Promise<void> => {
    const { chosen } = of(kind)
    stop()
    if (missingSlots(kind, chosen).length > 0) return
    const large = SLOTS[kind].find(s => (chosen[s.slot]?.size ?? 0) > FILE_MAX_BYTES)
    if (large !== undefined) { put(kind, { data: undefined, errors: [{ field: large.slot, message: `the file is larger than ${bytes(FILE_MAX_BYTES)}; a data set may have ${bytes(MAX_DATASET_BYTES)} of features` }] }); return }
    const mine = latest
    setBusy(true)
    const outcome = await app.attempt('Reading the files', async () => {
      const load = async (slot: Slot): Promise<JobFiles['trainFeatures'] | undefined> => {
        const file = chosen[slot]
        return file === undefined ? undefined : { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) }
      }
      return await app.node.previewData({
        kind, trainFeatures: (await load('trainFeatures'))!,
        trainLabels: await load('trainLabels'), testFeatures: await load('testFeatures'), testLabels: await load('testLabels'),
        labelColumn: column === '' ? undefined : column
      })
    })
    if (mine !== latest) return
    setBusy(false)
    if (outcome !== undefined) put(kind, outcome.ok ? { data: outcome.value, column, errors: [] } : { data: undefined, errors: outcome.errors })
  }

  return {
    busy, of, read,
    choose: (kind, chosen, column) => {
      put(kind, { chosen, data: undefined, errors: [] })
      void read(kind, column)
    },
    editColumn: kind => { put(kind, { errors: of(kind).errors.filter(e => e.field !== 'labelColumn') }) },
    clear: () => { stop(); setSets({ csv: NONE, idx: NONE }) }
  }
}

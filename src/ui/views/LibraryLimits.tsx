/** How much the library may keep, how fast it may send and receive, and what seeding has come to. */
import { createSignal, Show, type JSX } from 'solid-js'
import type { FieldError, LibrarySettings, LibraryView } from '../../bridge/api.ts'
import { commaFault } from '../../core/codec/amount.ts'
import { BUDGET_MAX, LIMIT_MAX } from '../../core/codec/libraryLimits.ts'
import { useApp } from '../context.tsx'
import { bytes, count, percent, sentence } from '../format.ts'
import { Badge, Button, Card, Note, Progress } from '../parts/basics.tsx'
import { Confirm } from '../parts/dialogs.tsx'
import { Earnings } from '../parts/Earnings.tsx'
import { Field } from '../parts/fields.tsx'
import { StoreNote } from '../parts/SetParts.tsx'

const GIB = 1024 ** 3
const MB = 1_000_000

type Name = 'budget' | 'upLimit' | 'downLimit'

/** Bytes a second. A limit below it would be taken for none by whoever reads it, and moves nothing. */
const SPEED_LEAST = 1_000

/** GiB. What is smaller has no room for the data of a job and the states of its model; only scripts may set it. */
const BUDGET_LEAST = 0.1

interface Rule { readonly unit: number, readonly least: number, /** 0 is no limit. */ readonly mayBeNone: boolean, readonly most: number, readonly wrong: string, readonly tooLittle: string, readonly tooMuch: string }
const SPEED: Rule = { unit: MB, least: SPEED_LEAST, mayBeNone: true, most: LIMIT_MAX, wrong: 'Enter a number of MB per second, such as 2.5, or 0 for no limit.', tooLittle: `At least ${SPEED_LEAST / MB} MB per second, or 0 for no limit.`, tooMuch: `At most ${count(Math.floor(LIMIT_MAX / MB))} MB per second, or 0 for no limit.` }
const FIELDS: Readonly<Record<Name, Rule>> = {
  budget: { unit: GIB, least: Math.floor(BUDGET_LEAST * GIB), mayBeNone: false, most: BUDGET_MAX, wrong: 'Enter a number of GiB, such as 2 or 0.5.', tooLittle: `At least ${BUDGET_LEAST} GiB: less has no room for the data of a job.`, tooMuch: `At most ${count(BUDGET_MAX / GIB)} GiB.` },
  upLimit: SPEED,
  downLimit: SPEED
}
const NAMES = Object.keys(FIELDS) as Name[]
const isName = (field: string): field is Name => (NAMES as readonly string[]).includes(field)

/** Undefined if the text is no amount. Decimals take a point, as everywhere on the page: a comma stands between thousands there. */
export function parseAmount (text: string, unit: number): number | undefined {
  const trimmed = text.trim()
  if (!/^(\d{1,15}(\.\d*)?|\.\d+)$/.test(trimmed)) return undefined
  const n = Number(trimmed) * unit
  // What is more than nothing stays so: 0 may mean something else.
  return n > 0 ? Math.max(1, Math.round(n)) : 0
}

/** Rounded down, so that it may be entered. */
const floorGib = (n: number): string => String(Math.floor(n / GIB * 100) / 100)

/** With as many digits as it takes, and no more. */
export const printAmount = (n: number, unit: number): string => String(Number((n / unit).toFixed(3)))

export function LibraryLimits (props: { view: LibraryView }): JSX.Element {
  return (
    <>
      <StoreNote view={props.view} />
      <div class="settings">
        <Limits view={props.view} />
        <Earnings view={props.view} />
      </div>
    </>
  )
}

function Limits (props: { view: LibraryView }): JSX.Element {
  const app = useApp()
  const [draft, setDraft] = createSignal<Partial<Record<Name, string>>>({})
  const [errors, setErrors] = createSignal<readonly FieldError[]>([])
  const [busy, setBusy] = createSignal(false)
  const [asking, setAsking] = createSignal(false)
  /** Bytes that the browser gives this page, as far as it tells. */
  const quota = (): number => app.view.storage.quota ?? Infinity
  const value = (name: Name): string => draft()[name] ?? printAmount(props.view.settings[name], FIELDS[name].unit)
  const parsed = (name: Name): number | undefined => draft()[name] === undefined ? props.view.settings[name] : parseAmount(value(name), FIELDS[name].unit)
  const wrong = (name: Name): string | undefined => {
    const n = parsed(name)
    const rule = FIELDS[name]
    if (n === undefined) { const comma = commaFault(value(name)); return comma === undefined ? rule.wrong : sentence(comma) }
    // What stands there already is not complained about before somebody changes it.
    if (draft()[name] !== undefined && n < rule.least && !(n === 0 && rule.mayBeNone)) return rule.tooLittle
    if (n > rule.most) return rule.tooMuch
    if (name === 'budget' && draft().budget !== undefined && n > quota()) return `At most ${floorGib(quota())} GiB: the browser gives this page no more, for all its tabs. Free some space on this device for more.`
    const refused = errors().filter(e => e.field === name)
    return refused.length === 0 ? undefined : refused.map(e => sentence(e.message)).join(' ')
  }
  const elsewhere = (): readonly FieldError[] => errors().filter(e => !isName(e.field))
  const enter = (name: Name) => (text: string): void => {
    setDraft(d => ({ ...d, [name]: text }))
    // What was said about the whole was about other entries than these.
    setErrors(list => list.filter(e => e.field !== name && isName(e.field)))
  }
  const changed = (): boolean => NAMES.some(name => parsed(name) !== props.view.settings[name])
  const share = (): number => props.view.settings.budget === 0 ? 0 : props.view.used / props.view.settings.budget
  /** Bytes that the new budget has no room for. */
  const over = (): number => Math.max(0, props.view.used - (parsed('budget') ?? props.view.used))

  const apply = async (settings: Partial<LibrarySettings>): Promise<boolean> => {
    setBusy(true)
    const outcome = await app.attempt('Saving the limits', async () => await app.node.setLibrary(settings))
    setBusy(false)
    setAsking(false)
    if (outcome === undefined) return false
    setErrors(outcome.ok ? [] : outcome.errors)
    if (outcome.ok) setDraft({})
    return outcome.ok
  }
  const save = async (): Promise<void> => {
    const { budget, upLimit, downLimit } = props.view.settings
    const before = { budget, upLimit, downLimit }
    const lost = over() > 0
    const done = await apply(Object.fromEntries(NAMES.filter(name => parsed(name) !== before[name]).map(name => [name, parsed(name)])))
    // What was deleted to fit does not come back with the old number.
    if (done) app.toast('info', 'The limits of the library are changed.', lost ? undefined : { label: 'Undo', run: () => { void apply(before) } })
  }
  const submit = (e: Event): void => {
    e.preventDefault()
    if (NAMES.some(name => wrong(name) !== undefined) || !changed()) return
    if (over() > 0) setAsking(true)
    else void save()
  }
  return (
    <Card title="Limits" aside={<Badge tone={share() > 1 ? 'warn' : 'idle'} testid="limits-share">{percent(share(), 0)} used</Badge>}>
      <p data-testid="limits-used">{bytes(props.view.used)} of {bytes(props.view.settings.budget)} used</p>
      <Progress value={Math.min(1, share())} label="Storage used by the library" />
      <form class="form" onSubmit={submit} novalidate data-testid="limits">
        <Field label="Storage for the library" inputMode="decimal" value={value('budget')} onInput={enter('budget')} suffix="GiB" error={wrong('budget')} testid="limits-budget"
          hint={`At least ${BUDGET_LEAST} GiB. When it is full, what nobody has asked for longest is deleted.${app.view.storage.quota === undefined ? '' : ` The browser lets this page use up to ${bytes(app.view.storage.quota)} in all, with all its tabs${app.view.storage.claimed === undefined ? '' : `, by the page’s own count of what it stores: the browser’s, ${bytes(app.view.storage.claimed)}, cannot be true`}.`}`} />
        <Show when={draft().budget === undefined && props.view.settings.budget > quota()}>
          <Note tone="warn" testid="limits-over-quota">The browser gives this page {bytes(quota())} in all, less than this limit: what does not fit cannot be kept. Lower the limit, or free some space on this device.</Note>
        </Show>
        <div class="form-pair">
          <Field label="Send at most" inputMode="decimal" value={value('upLimit')} onInput={enter('upLimit')} suffix="MB/s" error={wrong('upLimit')} testid="limits-up" hint="0: no limit." />
          <Field label="Receive at most" inputMode="decimal" value={value('downLimit')} onInput={enter('downLimit')} suffix="MB/s" error={wrong('downLimit')} testid="limits-down" hint="0: no limit." />
        </div>
        <p class="quiet">1 MB/s is a million bytes, or 8 million bits, per second. Blocks and training are not counted here. These limits are of this tab: every other tab of this page has its own, beside these, and all of them share the disk and the line.</p>
        <Show when={elsewhere().length > 0}><Note tone="bad" role="alert" testid="limits-refused">{elsewhere().map(e => sentence(e.message)).join(' ')}</Note></Show>
        <div class="row">
          <Button kind="primary" type="submit" busy={busy()} disabled={!changed()} data-testid="limits-save">Save</Button>
          <Show when={Object.keys(draft()).length > 0}><Button kind="quiet" data-testid="limits-reset" onClick={() => { setDraft({}); setErrors([]) }}>Reset</Button></Show>
        </div>
      </form>
      <Confirm open={asking()} onClose={() => { setAsking(false) }} onConfirm={() => { void save() }} busy={busy()} danger title="Keep less than is stored now?" confirm="Delete and save" testid="limits-confirm">
        <p>{bytes(over())} have no room under the new limit. What nobody has asked for longest is deleted from this device at once.</p>
      </Confirm>
    </Card>
  )
}

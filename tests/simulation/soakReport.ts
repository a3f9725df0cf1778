/** All worlds of a soak as one report: who earned what, what each kind of enemy did, and what no world shows alone. */
import { count, percent } from '../../src/ui/format.ts'
import { ENEMIES, type EnemyName } from './enemies/table.ts'
import type { Earner } from './fairness.ts'
import type { SweepReport, Table, Violation, WorldReport } from './report/types.ts'
import { idle, type SoakSummary, soakVerdict } from './soak.ts'

/** `isCalm`: no enemies were asked for, so none is missed. */
export function soakReport (all: SoakSummary, points: readonly WorldReport[], command: string, isCalm: boolean): SweepReport {
  const reported = new Set(points.map(p => p.seed))
  const violations: Violation[] = [
    ...all.failed.filter(f => !reported.has(f.seed)).flatMap(f => f.violations.map(v => ({ ...v, detail: `${f.command}: ${v.detail}` }))),
    ...(isCalm ? [] : idle(all)).map(detail => ({ checker: 'idle enemy', detail, atMs: 0 })),
    ...soakVerdict(all).map(detail => ({ checker: 'all worlds together', detail, atMs: 0 }))
  ]
  return { kind: 'sweep', command, scenario: 'soak', points, violations, tables: [...earnings(all), ...deeds(all)] }
}

function earnings ({ earned, wrongRounds: { byChance, kept, rounds } }: SoakSummary): Table[] {
  if (earned.every(e => e.work === 0)) return []
  const part = (e: Earner, of: 'work' | 'blocks' | 'credits'): string => percent(e[of] / Math.max(1, earned.reduce((sum, x) => sum + x[of], 0)))
  return [{
    caption: 'Who earned what, all worlds together', head: ['who', 'work', 'blocks', 'credits'],
    rows: earned.map(e => [e.name, part(e, 'work'), part(e, 'blocks'), part(e, 'credits')]),
    ...(rounds === 0 ? {} : { notes: [`Of ${count(rounds)} rounds with wrong contributions ${count(kept)} keep them, ${byChance.toFixed(1)} by chance.`] })
  }]
}

/** As `--enemies` takes it, and as its tabs are called elsewhere. */
function calledBoth (name: EnemyName): string {
  const role = ENEMIES[name].make().name
  return role === name ? name : `${name} (${role})`
}

function deeds ({ enemies }: SoakSummary): Table[] {
  const rows = Object.entries(enemies).sort().map(([name, e]) => [calledBoth(name as EnemyName), count(e.worlds), Object.entries(e.deeds).map(([deed, n]) => `${count(n)} ${deed}`).join(', ')])
  return rows.length === 0 ? [] : [{ caption: 'What enemies did', head: ['enemy', 'worlds', 'deeds'], prose: true, rows }]
}

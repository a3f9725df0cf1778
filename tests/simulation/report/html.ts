/** A report as one page: everything in the file, nothing fetched, nothing run. */
import { count, duration } from '../../../src/ui/format.ts'
import { sweepSections, worldSections } from './charts.ts'
import { escape, table } from './svg.ts'
import type { Report, SweepReport, Table, Violation, WorldReport } from './types.ts'

/** Violations that are written out; the JSON has them all. */
const VIOLATIONS_SHOWN = 200

export function renderReport (report: Report): string {
  const title = `Simulation: ${report.scenario}${report.kind === 'world' ? `, seed ${report.seed}` : ''}`
  const body = report.kind === 'world'
    ? `${worldHeader(report)}<div class="cards">${worldSections(report)}</div>`
    : `${sweepHeader(report)}<div class="cards">${sweepSections(report)}</div>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
${body}
</main>
</body>
</html>
`
}

const fact = (name: string, value: string): string => `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`

const commandLine = (command: string): string => `<p class="command"><span>Do it again:</span> <code>${escape(command)}</code></p>`

function verdict (violations: readonly Violation[], checked: readonly string[] | undefined, where: (v: Violation) => string): string {
  const looked = checked === undefined || checked.length === 0 ? '' : `<details><summary>What was checked</summary><ul class="plain">${checked.map(c => `<li>${escape(c)}</li>`).join('')}</ul></details>`
  if (violations.length > 0) {
    const shown = violations.slice(0, VIOLATIONS_SHOWN)
    const rest = violations.length > shown.length ? `<p>${count(violations.length - shown.length)} more are in the JSON.</p>` : ''
    return `<section class="verdict bad" aria-label="Verdict"><h2>${violations.length === 1 ? 'A rule was broken' : `Rules were broken ${count(violations.length)} times`}</h2><ol class="plain">${shown.map(v => `<li><b>${escape(v.checker)}</b> ${escape(where(v))}: ${escape(v.detail)}</li>`).join('')}</ol>${rest}${looked}</section>`
  }
  if (looked === '') return '<section class="verdict idle" aria-label="Verdict"><h2>Nothing was checked</h2><p>This run only measures: no checker looked on, so it says nothing of rules kept or broken.</p></section>'
  return `<section class="verdict good" aria-label="Verdict"><h2>No rule was broken</h2><p>${count(checked!.length)} ${checked!.length === 1 ? 'checker' : 'checkers'} looked on all along.</p>${looked}</section>`
}

/** What the scenario was run for, above all that is drawn of every world. */
const found = (tables: readonly Table[] | undefined): string =>
  (tables ?? []).map(t => `<section class="found">${table(t)}${(t.notes ?? []).map(n => `<p>${escape(n)}</p>`).join('')}</section>`).join('')

/** The JSON has every digit. */
const short = (v: string | number | boolean): string => typeof v === 'boolean' ? (v ? 'yes' : 'no') : typeof v === 'number' && !Number.isInteger(v) ? String(Number(v.toPrecision(4))) : String(v)

function worldHeader (r: WorldReport): string {
  const attackers = Object.entries(r.attackers)
  const speed = r.wallMs === 0 ? '' : `, ${count(Math.round(r.virtualMs / r.wallMs))} times real time`
  return `${verdict(r.violations, r.checked, v => `at ${duration(v.atMs)}`)}${found(r.tables)}${commandLine(r.command)}<dl class="facts">` +
    fact('Nodes', count(r.nodes)) + fact('Not honest', attackers.length === 0 ? 'none' : attackers.map(([name, n]) => `${count(n)} ${name}`).join(', ')) +
    fact('Virtual time', duration(r.virtualMs)) + fact('Took', `${duration(r.wallMs)}${speed}`) + fact('Events', count(r.events)) +
    fact('Blocks decided', `${count(r.blocksMain)}, and ${count(r.blocksOrphaned)} beside them`) + fact('Seed', r.seed) + '</dl>' +
    details('Options of this seed', 'Option', r.options) + details('What happened', 'What', r.counts ?? {})
}

function details (title: string, head: string, values: WorldReport['options']): string {
  const rows = Object.entries(values).map(([k, v]) => [k, short(v)])
  return rows.length === 0 ? '' : `<details class="options"><summary>${title}</summary>${table({ caption: title, head: [head, 'Value'], rows })}</details>`
}

function sweepHeader (r: SweepReport): string {
  const places = new Map(r.points.flatMap(p => p.violations.map(v => [v, `at ${duration(v.atMs)} ${p.command === r.command ? `with seed ${p.seed}, ${count(p.nodes)} nodes` : `in ${p.command}`}`])))
  const violations = [...r.violations ?? [], ...places.keys()]
  const checked = r.points.every(p => p.checked !== undefined) ? [...new Set(r.points.flatMap(p => p.checked ?? []))] : undefined
  const nodes = r.points.map(p => p.nodes)
  return verdict(violations, checked, v => places.get(v) ?? 'in all of it') + found(r.tables) + commandLine(r.command) +
    (r.points.length === 0
      ? '<p>No world has run.</p>'
      : `<dl class="facts">${fact('Worlds', count(r.points.length))}${fact('Nodes', Math.min(...nodes) === Math.max(...nodes) ? count(nodes[0]) : `${count(Math.min(...nodes))} to ${count(Math.max(...nodes))}`)}${fact('Virtual time in all', duration(r.points.reduce((s, p) => s + p.virtualMs, 0)))}${fact('Took', duration(r.points.reduce((s, p) => s + p.wallMs, 0)))}</dl>` +
      `<details class="options"><summary>The worlds</summary>${table({ caption: 'Worlds', head: ['Seed', 'Nodes', 'Virtual time', 'Took', 'Events', 'Broken rules', 'Options'], rows: r.points.map(p => [p.seed, count(p.nodes), duration(p.virtualMs), duration(p.wallMs), count(p.events), count(p.violations.length), Object.entries(p.options).map(([k, v]) => `${k}: ${short(v)}`).join('; ')]) })}</details>`)
}

const STYLE = `
:root{color-scheme:light dark;--bg:light-dark(#f7f8fa,#0f1318);--surface:light-dark(#fff,#161b22);--surface-2:light-dark(#eff2f5,#1e252e);--line:light-dark(#dde2e8,#29323d);--text:light-dark(#151b22,#e8ecf1);--muted:light-dark(#55616e,#9aa6b3);--focus:light-dark(#1c5fae,#8cc3fa);--good:light-dark(#0a7558,#4bd3a4);--good-soft:light-dark(#def3eb,#12352b);--bad:light-dark(#b3231f,#ff8e86);--bad-soft:light-dark(#fde8e6,#451b1a);--s0:light-dark(#0a7558,#3fcf9d);--s1:light-dark(#1c5fae,#75b5f5);--s2:light-dark(#b85310,#f0995c);--s3:light-dark(#9c2a73,#f08cc8);--s4:light-dark(#6b7683,#8b96a3);--mono:ui-monospace,'SF Mono','Cascadia Code','Liberation Mono',Menlo,Consolas,monospace}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Helvetica Neue',sans-serif;overflow-wrap:anywhere}
main{max-width:1180px;margin:0 auto;padding:24px 18px 48px}
h1{font-size:22px;line-height:1.25;margin:0 0 16px}
h2{font-size:16px;line-height:1.3;margin:0 0 4px}
p{margin:0 0 8px}
.card,.verdict,.found,.options,.facts div{background:var(--surface);border:1px solid var(--line);border-radius:12px}
.card>p{color:var(--muted);font-size:14px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:0 16px}
.card{padding:16px 18px;margin-bottom:16px;min-width:0;display:grid;grid-row:span 4;grid-template-rows:subgrid;grid-template-columns:minmax(0,1fr)}
.verdict{padding:12px 18px;margin-bottom:14px;border-left:5px solid var(--s4)}
.verdict p{margin:0}
.verdict.good{border-left-color:var(--good);background:var(--good-soft)}
.verdict.bad{border-left-color:var(--bad);background:var(--bad-soft)}
.verdict.good h2{color:var(--good)}.verdict.bad h2{color:var(--bad)}
.found{padding:8px 18px;margin-bottom:14px}
.found caption{color:var(--text);font-weight:600;max-width:min(100%,calc(100vw - 62px))}
.found .scroll{max-height:none}
.found p{margin:0;color:var(--muted);font-size:14px}
.plain{margin:6px 0;padding-left:20px}
.command{color:var(--muted)}
code{font:13.5px/1.5 var(--mono);color:var(--text);background:var(--surface-2);padding:2px 7px;border-radius:6px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin:12px 0}
.facts div{padding:8px 14px}
dt{color:var(--muted);font-size:13px}
dd{margin:0;font-weight:600}
.options{padding:8px 18px;margin-bottom:16px}
summary{cursor:pointer;color:var(--muted);font-weight:550;font-size:14px;padding:4px 0}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px;border-radius:6px}
figure{margin:8px 0}
figure>svg{display:block;width:100%;height:auto}
svg text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;fill:var(--text);font-variant-numeric:tabular-nums}
svg .tick{fill:var(--muted)}svg .value{font-weight:600}svg .label{fill:var(--muted)}
svg .grid{stroke:var(--line);fill:none}
svg .axis{stroke:var(--s4);fill:none}
svg .mark{stroke:var(--text);stroke-dasharray:2 3;fill:none}
svg .mark-label{font-weight:600;paint-order:stroke;stroke:var(--surface);stroke-width:4px;stroke-linejoin:round}
.line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round}
.dashed{stroke-dasharray:6 5}
.stroke{fill:none;stroke:currentColor;stroke-width:1.6}
.s0{color:var(--s0)}.s1{color:var(--s1)}.s2{color:var(--s2)}.s3{color:var(--s3)}.s4{color:var(--s4)}
.s0,.s1,.s2,.s3,.s4{fill:currentColor}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 16px;margin:6px 0 4px;padding:0;font-size:13.5px}
.legend li{display:flex;align-items:center;gap:6px}
.key{width:26px;height:14px;flex:none}
.scroll{overflow:auto;max-height:340px;margin:6px 0 12px;--shade:light-dark(#151b2233,#00000099);background:linear-gradient(to right,var(--surface) 30%,transparent) 0 0/40px 100% no-repeat local,linear-gradient(to left,var(--surface) 30%,transparent) 100% 0/40px 100% no-repeat local,linear-gradient(to right,var(--shade),transparent) 0 0/12px 100% no-repeat scroll,linear-gradient(to left,var(--shade),transparent) 100% 0/12px 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums;overflow-wrap:normal}
caption{text-align:left;color:var(--muted);padding:4px 0;position:sticky;left:0}
th,td{padding:4px 10px 4px 0;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
td,tbody th{white-space:nowrap}
th:first-child,.options td,.options th{text-align:left}
.options td:last-child,.options tbody th,.prose td:last-child,.prose tbody th{white-space:normal}
.options td:nth-child(7){min-width:28em}.prose td:last-child{min-width:min(20em,36vw)}
.prose td,.prose th{text-align:left}
thead th{font-weight:550;color:var(--muted)}
tbody th{font-weight:500}
@media(max-width:700px){main{padding:16px 12px 32px}.card,.verdict{padding:12px 14px}svg text{font-size:15px}.options td:nth-child(7){min-width:80em}}
@media print{.card{break-inside:avoid}}
`

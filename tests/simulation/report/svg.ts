/**
 * Charts as SVG text, drawn once and readable without a script. Colours are the page's (classes
 * s0..s4), shapes and dashes tell series apart where colours do not.
 */
import type { Table } from './types.ts'

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
/** For text and for quoted attributes; control characters, which no page may hold, are shown as such. */
export const escape = (text: unknown): string => String(text)
  .replace(/[&<>"']/g, c => ENTITIES[c])
  .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '\ufffd')

export interface Point {
  readonly x: number
  readonly y: number
  /** Ends of an interval around y. */
  readonly low?: number
  readonly high?: number
}

export const SHAPES = ['circle', 'square', 'triangle', 'diamond', 'cross'] as const
export type Shape = typeof SHAPES[number]

export interface Series {
  readonly name: string
  readonly draw: 'line' | 'steps' | 'points'
  /** 0..4 */
  readonly colour: number
  readonly shape?: Shape
  readonly dashed?: boolean
  readonly points: readonly Point[]
}

export interface Axis {
  readonly label: string
  readonly scale: 'linear' | 'sqrt' | 'log'
  readonly format: (value: number) => string
  /** Instead of what the points ask for. */
  readonly min?: number
  readonly max?: number
  /** Instead of round numbers. */
  readonly ticks?: readonly number[]
  /** Ticks are whole numbers. */
  readonly whole?: boolean
}

export interface Chart {
  readonly id: string
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  readonly marks?: ReadonlyArray<{ readonly x: number, readonly label: string }>
}

const WIDTH = 480
const HEIGHT = 290
const LEFT = 66
const RIGHT = 18
const TOP = 14
const BOTTOM = 50
const TICK_PX = 58

const n = (v: number): string => String(Math.round(v * 10) / 10)

/** 1, 2 or 5 times a power of ten, not below `v`. */
function roundUp (v: number): number {
  const power = 10 ** Math.floor(Math.log10(v))
  return [1, 2, 5, 10].map(f => f * power).find(f => f >= v * 0.999999) ?? 10 * power
}

const BEND: Readonly<Record<Axis['scale'], (v: number) => number>> = { linear: v => v, sqrt: v => Math.sqrt(Math.max(0, v)), log: v => Math.log2(Math.max(v, Number.MIN_VALUE)) }

interface Scale { readonly at: (v: number) => number, readonly ticks: readonly number[] }

function scale (axis: Axis, values: readonly number[], from: number, to: number): Scale {
  const seen = values.filter(v => Number.isFinite(v) && (axis.scale !== 'log' || v > 0))
  const min = axis.min ?? (axis.scale === 'log' && seen.length > 0 ? Math.min(...seen) : axis.scale === 'log' ? 1 : 0)
  const most = axis.max ?? Math.max(...seen, min)
  const unit = axis.whole === true || most <= min ? 1 : 0
  const step = Math.max(unit, roundUp(Math.max(most - min, Number.EPSILON) / 5))
  const flat = axis.scale === 'log' ? min * 2 : min + step
  const max = most <= min ? flat : axis.max ?? (axis.scale === 'linear' ? min + Math.ceil((most - min) / step - 1e-9) * step : most)
  const bend = BEND[axis.scale]
  const at = (v: number): number => from + (bend(Math.min(Math.max(v, min), max)) - bend(min)) / (bend(max) - bend(min)) * (to - from)
  if (axis.scale === 'linear' && axis.ticks === undefined) {
    return { at, ticks: Array.from({ length: Math.floor((max - min) / step + 1e-9) + 1 }, (_, i) => min + i * step) }
  }
  const decades = Array.from({ length: 24 }, (_, i) => 10 ** (i - 8)).flatMap(p => [p, 2 * p, 5 * p]).filter(v => v >= max / 250)
  const candidates = (axis.ticks ?? [0, ...decades.reverse()]).filter(v => v >= min && v <= max)
  // The smallest, then from the large end, where labels matter most, as many as there is room for.
  const ticks: number[] = []
  const room = TICK_PX * (from > to ? 0.45 : 0.8)
  for (const v of [...candidates].sort((a, b) => a === Math.min(...candidates) ? -1 : b === Math.min(...candidates) ? 1 : b - a)) {
    if (ticks.every(t => Math.abs(at(t) - at(v)) >= room)) ticks.push(v)
  }
  return { at, ticks }
}

function marker (shape: Shape, x: number, y: number, r: number): string {
  switch (shape) {
    case 'circle': return `<circle cx="${n(x)}" cy="${n(y)}" r="${r}"/>`
    case 'square': return `<rect x="${n(x - r)}" y="${n(y - r)}" width="${2 * r}" height="${2 * r}"/>`
    case 'triangle': return `<path d="M${n(x)} ${n(y - r - 1)}l${r + 1} ${2 * r + 1}h${-2 * r - 2}z"/>`
    case 'diamond': return `<path d="M${n(x)} ${n(y - r - 1.5)}l${r + 1.5} ${r + 1.5}l${-r - 1.5} ${r + 1.5}l${-r - 1.5} ${-r - 1.5}z"/>`
    case 'cross': return `<path class="stroke" d="M${n(x - r)} ${n(y)}h${2 * r}M${n(x)} ${n(y - r)}v${2 * r}"/>`
  }
}

const start = (id: string, title: string, height: number, description: string): string =>
  `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-words"><title id="${id}-title">${escape(title)}</title><desc id="${id}-words">${escape(description)}</desc>`

function drawSeries (s: Series, x: Scale, y: Scale): string {
  const many = s.points.length > 60
  const dots = s.draw === 'points' || (s.shape !== undefined && !many)
  const place = s.points.map(p => [x.at(p.x), y.at(p.y)] as const)
  const step = (i: number): string => i === 0 ? `M${n(place[0][0])} ${n(place[0][1])}` : `${s.draw === 'steps' ? `H${n(place[i][0])}` : ''}L${n(place[i][0])} ${n(place[i][1])}`
  const line = s.draw === 'points' || place.length < 2 ? '' : `<path class="line${s.dashed === true ? ' dashed' : ''}" d="${place.map((_, i) => step(i)).join('')}"/>`
  const bars = s.points.map(p => p.low === undefined || p.high === undefined ? '' : `<path class="stroke" d="M${n(x.at(p.x))} ${n(y.at(p.low))}V${n(y.at(p.high))}m-4 0h8M${n(x.at(p.x) - 4)} ${n(y.at(p.low))}h8"/>`).join('')
  return `<g class="s${s.colour}">${line}${bars}${dots ? place.map(([px, py]) => marker(s.shape ?? 'circle', px, py, many ? 3 : 4)).join('') : ''}</g>`
}

export function chart (c: Chart): string {
  const points = c.series.flatMap(s => s.points)
  const x = scale(c.x, [...points.map(p => p.x), ...(c.marks ?? []).map(m => m.x)], LEFT, WIDTH - RIGHT)
  const y = scale(c.y, points.flatMap(p => [p.y, p.high ?? p.y]), HEIGHT - BOTTOM, TOP)
  const bottom = HEIGHT - BOTTOM
  const grid = y.ticks.map(v => `<path class="grid" d="M${LEFT} ${n(y.at(v))}H${WIDTH - RIGHT}"/><text class="tick" x="${LEFT - 8}" y="${n(y.at(v) + 4.5)}" text-anchor="end">${escape(c.y.format(v))}</text>`).join('')
  const below = x.ticks.map(v => `<path class="axis" d="M${n(x.at(v))} ${bottom}v5"/><text class="tick" x="${n(x.at(v))}" y="${bottom + 20}" text-anchor="middle">${escape(c.x.format(v))}</text>`).join('')
  const marks = (c.marks ?? []).map((m, i) => {
    const px = x.at(m.x)
    // One to each side, so that close ones can be read; none over the edge.
    const right = px > WIDTH * 0.8 || (i === 0 && px > LEFT + 90)
    return `<path class="mark" d="M${n(px)} ${TOP}V${bottom}"/><text class="mark-label" x="${n(px + (right ? -6 : 6))}" y="${TOP + 14 + 17 * i}" text-anchor="${right ? 'end' : 'start'}">${escape(m.label)}</text>`
  }).join('')
  const description = `${c.y.label} against ${c.x.label}: ${c.series.map(s => s.name).join('; ')}. The table below holds the same figures.`
  return `<figure>${start(c.id, c.title, HEIGHT, description)}${grid}<path class="axis" d="M${LEFT} ${bottom}H${WIDTH - RIGHT}"/>${below}` +
    `<text class="label" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 7}" text-anchor="middle">${escape(c.x.label)}</text>` +
    `${c.series.map(s => drawSeries(s, x, y)).join('')}${marks}</svg>${legend(c.series)}</figure>`
}

function legend (series: readonly Series[]): string {
  const key = (s: Series): string => `<svg class="key" viewBox="0 0 26 14" aria-hidden="true"><g class="s${s.colour}">${s.draw === 'points' ? '' : `<path class="line${s.dashed === true ? ' dashed' : ''}" d="M1 7H25"/>`}${s.draw === 'points' || s.shape !== undefined ? marker(s.shape ?? 'circle', 13, 7, 4) : ''}</g></svg>`
  return `<ul class="legend">${series.map(s => `<li>${key(s)}${escape(s.name)}</li>`).join('')}</ul>`
}

export interface Bar { readonly label: string, readonly value: number, readonly text: string }

/** Lengths from zero, each with its value at its end. */
export function bars (id: string, title: string, items: readonly Bar[], colour = 0): string {
  const most = Math.max(...items.map(b => b.value), Number.MIN_VALUE)
  const height = 38 * items.length + 8
  const left = 74
  const room = WIDTH - left - 92
  const rows = items.map((b, i) => {
    const length = Math.max(2, b.value / most * room)
    return `<text class="label" x="${left - 10}" y="${38 * i + 27}" text-anchor="end">${escape(b.label)}</text><rect class="bar" x="${left}" y="${38 * i + 10}" width="${n(length)}" height="24" rx="4"/><text class="value" x="${n(left + length + 8)}" y="${38 * i + 27}">${escape(b.text)}</text>`
  }).join('')
  return `<figure>${start(id, title, height, `${items.map(b => `${b.label}: ${b.text}`).join(', ')}. The table below holds the same figures.`)}<g class="s${colour}">${rows}</g></svg></figure>`
}

/** The first column names its row; the others are figures, but for a last one of sentences. */
export function table (t: Table): string {
  const row = (cells: readonly string[]): string => `<tr>${cells.map((c, i) => i === 0 ? `<th scope="row">${escape(c)}</th>` : `<td>${escape(c)}</td>`).join('')}</tr>`
  return `<div class="scroll" role="region" tabindex="0" aria-label="${escape(t.caption)}"><table${t.prose === true ? ' class="prose"' : ''}><caption>${escape(t.caption)}</caption><thead><tr>${t.head.map(h => `<th scope="col">${escape(h)}</th>`).join('')}</tr></thead><tbody>${t.rows.map(row).join('')}</tbody></table></div>`
}

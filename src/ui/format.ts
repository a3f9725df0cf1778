/** Numbers, amounts, times and ids as people read them. Pure; amounts go through the ledger's own codec. */
import { formatAmount } from '../core/codec/amount.ts'
import { GRAINS_PER_CREDIT } from '../core/params.ts'

/** Credits with thousands grouped and at most six decimals: 1234500000n -> "1,234.5". */
export function credits (grains: bigint): string {
  const [whole = '0', fraction] = formatAmount(grains < 0n ? -grains : grains).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return `${grains < 0n ? '−' : ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`
}

/** Grains of a hundredth of a credit: finer is the business of the wallet's own forms. */
const CENT = 10_000n

/** Cut off after the second decimal, so that it is never more than there is; what is less than that stays whole. */
export const toCents = (grains: bigint): bigint => grains / CENT === 0n ? grains : grains / CENT * CENT

/** The unit of an amount that stands by itself. */
export const creditUnit = (grains: bigint): string => grains === GRAINS_PER_CREDIT ? 'credit' : 'credits'

/** An amount with its unit: "1 credit", "1,234.5 credits". */
export const inCredits = (grains: bigint): string => `${credits(grains)} ${creditUnit(grains)}`

/** A change of balance, always with its sign. */
export function signedCredits (grains: bigint): string {
  return grains > 0n ? `+${credits(grains)}` : credits(grains)
}

const SI = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const

/** Three significant digits with an SI prefix: 3.42e9 -> "3.42 G". */
export function si (n: number): string {
  if (!Number.isFinite(n)) return '–'
  for (const [scale, prefix] of SI) if (Math.abs(n) >= scale) return `${significant(n / scale)} ${prefix}`
  return n === 0 ? '0 ' : `${significant(n)} `
}

function significant (n: number): string {
  const size = Math.abs(n)
  return n.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}

export function count (n: number | bigint): string {
  return n.toString().replace(/\B(?=(\d{3})+$)/g, ',')
}

/** 0.9312 -> "93.1 %". */
export function percent (share: number | undefined, digits = 1): string {
  return share === undefined || !Number.isFinite(share) ? '–' : `${(share * 100).toFixed(digits)} %`
}

export function bytes (n: number): string {
  if (n < 1024) return `${n} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = n / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit++ }
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`
}

/** A speed. 1 MB is a million bytes here, as on every other page about downloads. */
export function rate (bytesPerSecond: number): string {
  return bytesPerSecond < 1000 ? `${Math.round(bytesPerSecond)} B/s` : `${si(bytesPerSecond)}B/s`
}

/** A span of time in its two largest units. */
export function duration (ms: number): string {
  if (!Number.isFinite(ms)) return '–'
  const s = Math.max(0, ms) / 1000
  if (s < 1) return `${Math.round(s * 1000)} ms`
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 60) return `${Math.round(s)} s`
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor(s % 86_400 / 3600)} h`
}

export function ago (timeMs: number, nowMs: number): string {
  const past = nowMs - timeMs
  if (timeMs <= 0) return 'at the start'
  if (past < 2_000) return 'just now'
  if (past < 60_000) return `${Math.floor(past / 1000)} s ago`
  if (past < 3_600_000) return `${Math.floor(past / 60_000)} min ago`
  if (past < 86_400_000) return `${Math.floor(past / 3_600_000)} h ago`
  return new Date(timeMs).toLocaleDateString()
}

export function clock (timeMs: number): string {
  return new Date(timeMs).toLocaleTimeString(undefined, { hour12: false })
}

export function dateTime (timeMs: number): string {
  return timeMs <= 0 ? 'genesis' : new Date(timeMs).toLocaleString(undefined, { hour12: false })
}

/** First and last characters of a long id. */
export function shortId (id: string, head = 6, tail = 4): string {
  return id.length <= head + tail + 1 ? id : `${id.slice(0, head)}…${id.slice(-tail)}`
}

/** A fragment of a message as a sentence of its own; a file's name at its start stays as it is. */
export function sentence (s: string): string {
  const text = s.trim()
  const first = /^\S*[._\d]\S/.test(text) ? text[0]! : text[0]?.toUpperCase()
  return text === '' ? '' : `${first}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`
}

export function plural (n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`
}

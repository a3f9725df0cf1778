/** What the commands that run worlds share: arguments with helpful errors, and how a run ends. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'

/** The user's mistake: answered by a sentence, not by a stack. */
export class Misused extends Error {}
/** Something outside of the program stands in the way: a sentence says it all. */
class Hindered extends Error {}

export const say = (text: string): void => { process.stderr.write(`${text}\n`) }

export function number (name: string, text: string | undefined, low: number, high: number, whole: boolean): number | undefined {
  if (text === undefined) return undefined
  const n = text.trim() === '' ? NaN : Number(text)
  if (!(n >= low && n <= high) || (whole && !Number.isInteger(n))) throw new Misused(`--${name}: expected a ${whole ? 'whole ' : ''}number from ${low} to ${high}, got "${text}"`)
  return n
}

/** Characters of a seed, and of one from which worlds have theirs: `-` and a number follow it. */
export const SEED_MAX = 64
export const SEED_OF_MANY_MAX = 48

/** A fresh one where none is given. */
export function seedOf (given: string | undefined, most = SEED_MAX): string {
  const seed = given ?? randomBytes(6).toString('hex')
  if (seed.length > most || !/^[\w./-]+$/.test(seed)) throw new Misused(`--seed: expected 1 to ${most} letters, digits or . / - _, got "${seed}"`)
  return seed
}

/** Of so many tabs a share of attackers may be none at all. */
export function someAttackers (nodes: number | undefined, share: number | undefined): void {
  if (nodes !== undefined && share !== undefined && share > 0 && Math.round(nodes * share) === 0) throw new Misused(`--attackers: ${share} of ${nodes} tabs is none: expected 0 or at least ${Math.ceil(500 / nodes) / 1000}`)
}

/** Whole path of a file that will be written after a run; whether it can be is seen before, for a run takes hours. */
export async function fileToWrite (name: string, given: string | undefined): Promise<string | undefined> {
  if (given === undefined) return undefined
  if (given === '') throw new Misused(`--${name}: expected the name of a file`)
  const file = resolve(process.env.INIT_CWD ?? '.', given)
  const fresh = !existsSync(file)
  try {
    await appendFile(file, '')
  } catch (e) {
    throw new Misused(`--${name}: ${file} cannot be written: ${e instanceof Error ? e.message : String(e)}`)
  }
  if (fresh) await rm(file)
  return file
}

/** A disk may have filled up since it was looked at. */
export async function writeReport (file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page)
  } catch (e) {
    throw new Hindered(`the report could not be written to ${file}: ${e instanceof Error ? e.message : String(e)}`)
  }
  say(`the report is in ${file}`)
}

/** First words of a usage: what to type for the rest of it. */
const helpLine = (usage: string): string => `all options: ${usage.slice(0, usage.indexOf(' --'))} -- --help`

/** 0: all is well. 1: it is not, or the program broke. 2: it was asked wrongly, or did less than was asked. */
export async function runCommand (usage: string, main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main()
  } catch (e) {
    const misused = e instanceof Misused || (e instanceof TypeError && 'code' in e && String(e.code).startsWith('ERR_PARSE_ARGS'))
    say(misused ? `${e.message}\n${helpLine(usage)}` : e instanceof Hindered ? e.message : e instanceof Error ? e.stack ?? e.message : String(e))
    process.exitCode = misused ? 2 : 1
  }
}

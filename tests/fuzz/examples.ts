/** The job files that the repository comes with. */
import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('../../examples/', import.meta.url)

let read: readonly string[] | undefined

export const examples = (): readonly string[] => read ??= readdirSync(FOLDER).filter(name => name.endsWith('.json')).sort().map(name => readFileSync(new URL(name, FOLDER), 'utf8'))

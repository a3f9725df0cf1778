/**
 * One at a time, across processes: a directory is made by one of them only. The holder touches it
 * every second, so a lock whose holder died is recognised by its age, on any machine.
 */
import { mkdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

const BEAT_MS = 1_000
const DEAD_AFTER_MS = 20_000

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Age of the lock, ms; undefined when nobody holds it any more. */
function ageMs (path) {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

function tryTake (path) {
  try {
    mkdirSync(path)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Runs `work` while no other process runs the same `name`; `onWait` is called once if it must wait. */
export async function withLock (name, onWait, work) {
  const path = join(ROOT, 'build', `${name}.lock`)
  mkdirSync(dirname(path), { recursive: true })
  let told = false
  while (!tryTake(path)) {
    const age = ageMs(path)
    if (age !== undefined && age > DEAD_AFTER_MS) {
      // Renaming succeeds for one of several waiters, so a fresh lock is never removed by mistake.
      const grave = `${path}.${process.pid}.${Date.now()}`
      try {
        renameSync(path, grave)
        rmSync(grave, { recursive: true, force: true })
      } catch (error) {
        if (error.code !== 'ENOENT') throw error
      }
      continue
    }
    if (!told) { onWait(); told = true }
    await sleep(200)
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimesSync(path, now, now)
  }, BEAT_MS)
  try {
    return await work()
  } finally {
    clearInterval(beat)
    rmSync(path, { recursive: true, force: true })
  }
}

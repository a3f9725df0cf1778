/** What is alive in this thread's memory. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/** The program need not have been started with --expose-gc. */
function collector (): () => void {
  if (globalThis.gc !== undefined) return () => { void globalThis.gc!() }
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

/** Bytes of objects and of their buffers, after what is dead was collected. */
export function heapBytes (): number {
  (collect ??= collector())()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

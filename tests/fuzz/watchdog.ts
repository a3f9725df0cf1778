/**
 * Ends a run that hangs: a thread of its own sees that no input has been begun for too long, prints
 * the one that is being worked on, and stops the process, which cannot do it itself.
 */
import { Worker } from 'node:worker_threads'
import type { Watch } from './engine.ts'

const INPUT_MAX = 64 * 1024
const HEAD_INTS = 2

/** Plain JavaScript: it runs beside a main thread that no longer answers. */
const WATCHER = `
const { workerData: { memory, label, hangMs } } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const head = new Int32Array(memory, 0, ${HEAD_INTS})
const bytes = new Uint8Array(memory, ${4 * HEAD_INTS})
let last = -1
let since = Date.now()
setInterval(() => {
  const now = Atomics.load(head, 0)
  if (now !== last) { last = now; since = Date.now() }
  if (Date.now() - since < hangMs) return
  writeSync(2, label + ': no answer for ' + hangMs + ' ms to input ' + Buffer.from(bytes.slice(0, head[1])).toString('hex') + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, 500)
`

export function startWatchdog (label: string, hangMs: number): { readonly watch: Watch, readonly stop: () => Promise<void> } {
  const memory = new SharedArrayBuffer(4 * HEAD_INTS + INPUT_MAX)
  const head = new Int32Array(memory, 0, HEAD_INTS)
  const bytes = new Uint8Array(memory, 4 * HEAD_INTS)
  const worker = new Worker(WATCHER, { eval: true, workerData: { memory, label, hangMs }, execArgv: [] })
  return {
    watch: {
      note: input => {
        head[1] = Math.min(input.length, INPUT_MAX)
        bytes.set(input.length <= INPUT_MAX ? input : input.subarray(0, INPUT_MAX))
        Atomics.add(head, 0, 1)
      }
    },
    stop: async () => { await worker.terminate() }
  }
}

/** A Node worker thread for the pool. */
import { Worker } from 'node:worker_threads'
import type { Reply, WorkerLike } from './messages.ts'

export function spawnNodeWorker (): WorkerLike {
  const worker = new Worker(new URL('./nodeWorkerBoot.mjs', import.meta.url))
  return {
    post: request => { worker.postMessage(request) },
    listen (onReply, onCrash) {
      worker.on('message', (reply: Reply) => { onReply(reply) })
      worker.on('messageerror', error => { onCrash(error.message) })
      worker.on('error', error => { onCrash(error instanceof Error ? error.message : String(error)) })
      worker.on('exit', code => { onCrash(`the worker ended with code ${code}`) })
    },
    terminate: () => { void worker.terminate() }
  }
}

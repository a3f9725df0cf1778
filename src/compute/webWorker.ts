/** A browser's Worker (workers/compute.worker.ts) for the pool. */
import type { Reply, WorkerLike } from './messages.ts'

export function fromWebWorker (worker: Worker): WorkerLike {
  return {
    post: request => { worker.postMessage(request) },
    listen (onReply, onCrash) {
      worker.onmessage = (event: MessageEvent<Reply>) => { onReply(event.data) }
      worker.onerror = event => { onCrash(event.message === '' || event.message === undefined ? 'the worker did not load' : event.message) }
      worker.onmessageerror = () => { onCrash('a message could not be read') }
    },
    terminate: () => { worker.terminate() }
  }
}

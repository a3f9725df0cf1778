/** The worker's side of messages.ts. */
import type { BackendReport } from '../ports/compute.ts'
import { type Engine, openEngine } from './engine.ts'
import { DeviceLost } from './kernels.ts'
import type { Opened, Reply, Request } from './messages.ts'

const openedOf = ({ backend, failure, reports }: Engine): Opened => ({ backend, failure, reports })

async function answer (request: Request, engine: Engine): Promise<Reply> {
  switch (request.kind) {
    case 'open': return { kind: 'open', value: openedOf(engine) }
    case 'slice': return { kind: 'slice', value: await engine.runSlice(request.task) }
    case 'evaluate': return { kind: 'evaluate', value: await engine.evaluate(request.task) }
    case 'predict': return { kind: 'predict', value: await engine.predict(request.task) }
  }
}

/** Large arrays move instead of being copied: the worker keeps none of them. */
function transferable (reply: Reply): ArrayBuffer[] {
  if (reply.kind !== 'slice') return []
  const { state, payload } = reply.value
  return [...state.weights, ...state.biases, payload].map(array => array.buffer as ArrayBuffer)
}

/** Returns the handler for requests. */
export function serve (post: (reply: Reply, transfer: ArrayBuffer[]) => void, open = openEngine): (request: Request) => Promise<void> {
  let engine: Promise<Engine> = Promise.reject(new Error('not opened'))
  engine.catch(() => {})
  let told: readonly BackendReport[] | undefined
  return async (request) => {
    if (request.kind === 'open') engine = open(request.backend, undefined, undefined, request.given)
    let reply: Reply
    try {
      const opened = await engine
      reply = await answer(request, opened)
      // What became known on the way, before the answer that it is about.
      if (request.kind !== 'open' && told !== opened.reports) post({ kind: 'news', value: openedOf(opened) }, [])
      told = opened.reports
    } catch (e) {
      const error = e instanceof Error ? e.message : String(e)
      reply = e instanceof DeviceLost ? { kind: 'lost', error } : { kind: 'error', error }
    }
    post(reply, transferable(reply))
  }
}

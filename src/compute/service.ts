/** The worker's side of messages.ts. */
import { type Engine, openEngine } from './engine.ts'
import type { Reply, Request } from './messages.ts'

async function answer (request: Request, engine: Promise<Engine>): Promise<Reply> {
  const opened = await engine
  switch (request.kind) {
    case 'open': return { kind: 'open', value: { backend: opened.backend, failure: opened.failure } }
    case 'slice': return { kind: 'slice', value: opened.runSlice(request.task) }
    case 'evaluate': return { kind: 'evaluate', value: opened.evaluate(request.task) }
    case 'predict': return { kind: 'predict', value: opened.predict(request.task) }
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
  return async (request) => {
    if (request.kind === 'open') engine = open(request.backend)
    let reply: Reply
    try {
      reply = await answer(request, engine)
    } catch (e) {
      reply = { kind: 'error', error: e instanceof Error ? e.message : String(e) }
    }
    post(reply, transferable(reply))
  }
}

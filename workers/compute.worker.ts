/** One kernel in a thread of its own; src/compute/pool.ts is on the other side. */
import type { Request } from '../src/compute/messages.ts'
import { serve } from '../src/compute/service.ts'

const handle = serve((reply, transfer) => { self.postMessage(reply, { transfer }) })
self.onmessage = (event: MessageEvent<Request>) => { void handle(event.data) }

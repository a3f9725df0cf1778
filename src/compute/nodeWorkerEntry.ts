/** The service of a Node worker thread. */
import { parentPort } from 'node:worker_threads'
import type { Request } from './messages.ts'
import { serve } from './service.ts'

const port = parentPort
if (port === null) throw new Error('this file runs in a worker thread')
const handle = serve((reply, transfer) => { port.postMessage(reply, transfer) })
port.on('message', (request: Request) => { void handle(request) })

/** Teaches a worker thread TypeScript, which threads do not inherit, and starts the service in it. */
import { register } from 'tsx/esm/api'

register()
await import('./nodeWorkerEntry.ts')

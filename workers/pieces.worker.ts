/** The disk of a tab's torrents; src/net/swarm/openDisk.ts is on the other side. */
import { type DiskBoot, type DiskReply, serveDisk } from '../src/net/swarm/openDisk.ts'

const reply = (r: DiskReply): void => { self.postMessage(r) }

self.addEventListener('message', (e: MessageEvent<DiskBoot>) => {
  serveDisk(e.data).then(
    () => { reply({ ready: true }) },
    (error: unknown) => { reply({ failed: error instanceof Error ? error.message : String(error) }) }
  )
}, { once: true })

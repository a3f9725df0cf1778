/** The node of a tab: built here from the page's network port, IndexedDB, the compute workers and WebCrypto. */
import { exposeNode } from '../src/bridge/remoteNode.ts'
import { useFastHash } from '../src/compute/hasher.ts'
import { createComputePool } from '../src/compute/pool.ts'
import { createSignatures } from '../src/compute/signatures.ts'
import { fromWebWorker } from '../src/compute/webWorker.ts'
import { connectNetwork } from '../src/net/portNetwork.ts'
import { connectSwarm } from '../src/net/swarm/portSwarm.ts'
import { NodeService } from '../src/node/api.ts'
import { Node } from '../src/node/node.ts'
import type { Clock, Random } from '../src/ports/clock.ts'
import { toHex } from '../src/core/codec/ssz.ts'
import { publicKey } from '../src/core/crypto/keys.ts'
import { NETWORKS } from '../src/core/params.ts'
import { openIndexedDb } from '../src/storage/indexedDb.ts'
import { createKeystore } from '../src/storage/keystore.ts'
import { databaseName, slotSeed } from '../src/storage/slots.ts'
import { openSiblings } from '../src/storage/siblings.ts'
import { openPurse } from '../src/storage/purse.ts'
import { openWallet } from '../src/storage/wallet.ts'
import { gunzip } from './gunzip.ts'
import type { NodeBoot } from './nodeBoot.ts'

const clock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => { clearTimeout(timer) }
  }
}
const random: Random = { bytes: (n) => crypto.getRandomValues(new Uint8Array(n)) }

async function start (boot: NodeBoot): Promise<void> {
  await useFastHash()
  const wallet = await openWallet(random)
  const account = toHex(publicKey(wallet.seed))
  const siblings = openSiblings(account)
  const cores = Math.max(1, boot.cores || 1)
  const compute = await createComputePool({
    spawn: () => fromWebWorker(new Worker(new URL('./compute.worker.ts', import.meta.url), { type: 'module', name: 'kernel' })),
    backend: 'auto', workersMax: Math.min(16, cores), workers: 1, duty: 1, clock
  })
  const node = await Node.start({
    network: connectNetwork(boot.port),
    swarm: connectSwarm(boot.swarm),
    trackers: boot.trackers,
    networkName: boot.network,
    storage: await openIndexedDb(databaseName(NETWORKS[boot.network].name, boot.slot)),
    compute,
    signatures: createSignatures(crypto.subtle),
    clock,
    random,
    keystore: createKeystore(wallet, random, siblings),
    siblings,
    purse: openPurse(navigator.locks, `${NETWORKS[boot.network].name}/${account}`),
    minerSeed: slotSeed(wallet.seed, boot.slot),
    walletSeed: wallet.seed,
    walletRestored: wallet.restored,
    walletUncopied: !wallet.copied,
    slot: boot.slot,
    cores,
    gunzip
  })
  exposeNode(new NodeService(node), self as unknown as Worker)
}

self.addEventListener('message', (e: MessageEvent<NodeBoot>) => {
  start(e.data).then(
    () => { self.postMessage({ ready: true }) },
    (error: unknown) => {
      // The page shows the words; where it happened is for the console.
      console.error(error)
      self.postMessage({ failed: error instanceof Error ? error.message : String(error) })
    }
  )
}, { once: true })

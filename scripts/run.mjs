/**
 * Runs one TypeScript program of this repository with everything it needs in place:
 *   node scripts/run.mjs [--bundle] src/cli/cw.ts <its arguments>
 * With --bundle the program is made one file first, for those that run long. Those that open the page build it
 * themselves, once they know what they were asked.
 * stdout and stdin are the program's own.
 */
import { withBundle } from './bundle.mjs'
import { ensureDeps } from './ensure-deps.mjs'
import { ensureWasm } from './ensure-wasm.mjs'
import { ROOT } from './lock.mjs'
import { Failure, runMain, runNode } from './process.mjs'
import { totalmem } from 'node:os'
import { resolve } from 'node:path'

/**
 * Large worlds are simulated in one process: most of the machine may become heap. Timers and promises of thousands of
 * nodes live for a while, and each collection of what is young copies those that do; but what is young and large leaves
 * the processor's caches: with 64, 128, 192, 384 and 1,024 MiB six minutes of 2,000 tabs took 80, 73, 73, 75 and 87 s.
 */
const HEAP_MIB = Math.floor(totalmem() / 2 ** 20 * 0.8)
const YOUNG_MIB = Math.min(160, Math.max(16, Math.floor(HEAP_MIB / 18)))

await runMain(async () => {
  const given = process.argv.slice(2)
  const bundle = given[0] === '--bundle'
  const [entry, ...args] = bundle ? given.slice(1) : given
  if (entry === undefined) throw new Failure('usage: node scripts/run.mjs [--bundle] <file.ts> [arguments]')
  await ensureDeps()
  await ensureWasm()
  const flags = [`--max-old-space-size=${HEAP_MIB}`, `--max-semi-space-size=${YOUNG_MIB}`]
  // The caller's directory stays, so that a relative path among the arguments means what it says.
  const options = { cwd: process.env.INIT_CWD ?? process.cwd() }
  if (bundle) return await withBundle(resolve(ROOT, entry), file => runNode([...flags, '--enable-source-maps', file, ...args], options))
  return runNode([...flags, '--import', new URL('../node_modules/tsx/dist/loader.mjs', import.meta.url).href, resolve(ROOT, entry), ...args], options)
})

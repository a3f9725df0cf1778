/**
 * Runs one TypeScript program of this repository with everything it needs in place:
 *   node scripts/run.mjs [--page] src/cli/cw.ts <its arguments>
 * With --page the page is built first, for programs that open it in a browser.
 * stdout and stdin are the program's own.
 */
import { buildPage } from './build.mjs'
import { ensureDeps } from './ensure-deps.mjs'
import { ensureWasm } from './ensure-wasm.mjs'
import { ROOT } from './lock.mjs'
import { Failure, runMain, runNode } from './process.mjs'
import { totalmem } from 'node:os'
import { resolve } from 'node:path'

/** Large worlds are simulated in one process: most of the machine may become heap. */
const HEAP_MIB = Math.floor(totalmem() / 2 ** 20 * 0.8)

await runMain(async () => {
  const given = process.argv.slice(2)
  const page = given[0] === '--page'
  const [entry, ...args] = page ? given.slice(1) : given
  if (entry === undefined) throw new Failure('usage: node scripts/run.mjs [--page] <file.ts> [arguments]')
  await ensureDeps()
  await ensureWasm()
  // Help needs no page.
  if (page && !args.includes('--help')) await buildPage()
  // The caller's directory stays, so that a relative path among the arguments means what it says.
  return runNode([`--max-old-space-size=${HEAP_MIB}`, '--import', new URL('../node_modules/tsx/dist/loader.mjs', import.meta.url).href, resolve(ROOT, entry), ...args], { cwd: process.env.INIT_CWD ?? process.cwd() })
})

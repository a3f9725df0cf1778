/** `npm start`: installs what is missing, builds the page, serves it and prints where. */
import { ensureDeps } from './ensure-deps.mjs'
import { ensureWasm } from './ensure-wasm.mjs'
import { buildPage } from './build.mjs'
import { ROOT } from './lock.mjs'
import { runMain, runNode, say } from './process.mjs'

await runMain(async () => {
  await ensureDeps()
  if (!process.argv.includes('--help')) {
    await ensureWasm()
    say('building the page')
    await buildPage()
  }
  return runNode(['--import', 'tsx', 'server/main.ts', ...process.argv.slice(2)], { cwd: ROOT })
})

/** `npm start`: installs what is missing, builds the page, serves it and prints where. */
import { ensureDeps } from './ensure-deps.mjs'
import { ensureWasm } from './ensure-wasm.mjs'
import { buildPage } from './build.mjs'
import { ROOT } from './lock.mjs'
import { runMain, runNode, say } from './process.mjs'

await runMain(async () => {
  const args = process.argv.slice(2)
  await ensureDeps()
  const { tsImport } = await import('tsx/esm/api')
  const { parseOptions } = await tsImport('../server/options.ts', import.meta.url)
  // Who asked for something else, or for help, is answered by the server at once.
  if (parseOptions(args).ok) {
    await ensureWasm()
    say('building the page')
    await buildPage()
  }
  return runNode(['--import', 'tsx', 'server/main.ts', ...args], { cwd: ROOT })
})

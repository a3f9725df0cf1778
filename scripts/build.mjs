/** Builds the page into dist/: packages, kernels, bundle. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureDeps } from './ensure-deps.mjs'
import { ensureWasm } from './ensure-wasm.mjs'
import { ROOT } from './lock.mjs'
import { Failure, runMain, runNode } from './process.mjs'

export async function buildPage () {
  const code = await runNode([join(ROOT, 'node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'], {
    cwd: ROOT,
    // Whatever the shell says, this is the page people get.
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', process.stderr, process.stderr]
  })
  if (code !== 0) throw new Failure('the page did not build; the bundler\'s words are above.')
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runMain(async () => {
    await ensureDeps()
    await ensureWasm()
    await buildPage()
  })
}

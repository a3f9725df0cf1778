/**
 * A TypeScript program as one file of JavaScript, for those that run for hours: what the loader makes of each
 * file gives every function its name again whenever it is made, which a tenth of a simulation goes to.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ROOT } from './lock.mjs'

/** Inside, so that packages are found from there. */
const CACHE = join(ROOT, 'node_modules', '.cache')

/** What `run` gives; the file is there as long as it takes. */
export async function withBundle (entry, run) {
  const { build } = await import('vite')
  await mkdir(CACHE, { recursive: true })
  const outDir = await mkdtemp(join(CACHE, 'commonweight-'))
  try {
    await build({
      configFile: false,
      root: ROOT,
      logLevel: 'error',
      build: { ssr: entry, outDir, target: 'node20', minify: false, sourcemap: true, copyPublicDir: false }
    })
    return await run(join(outDir, basename(entry).replace(/\.ts$/, '.js')))
  } finally {
    await rm(outDir, { recursive: true, force: true })
  }
}

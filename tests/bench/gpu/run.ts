/**
 * `npm run bench:gpu`: builds the page and opens it in Chromium with the machine's GPU; the report is
 * JSON on stdout.
 *   --software      Chromium's own software adapter instead
 *   --serve         only serves the page, for a browser of your choice
 *   --models N      random models per product path (200), of --seed N (1)
 *   --ms N          time per model and backend, ms (2000)
 *   --no-floats     without TensorFlow.js beside it
 * `npm run soak:compute` is this with thousands of models on the software adapter.
 * Without a browser: `npm run bench:gpu -- --node` writes build/gpu-bench/node.mjs, one file that runs
 * under Node with the npm package webgpu: node node.mjs PATH-OF-THE-PACKAGE [models] [ms].
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { openProfile, serveTestPage, SOFTWARE_GPU } from '../../../src/cli/builtPage.ts'

/** Linux hides its GPUs behind these; elsewhere they change nothing. */
const HARDWARE_GPU = ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--ignore-gpu-blocklist']

const { values } = parseArgs({
  options: {
    software: { type: 'boolean', default: false }, serve: { type: 'boolean', default: false }, node: { type: 'boolean', default: false },
    models: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' }, ms: { type: 'string', default: '2000' }, 'no-floats': { type: 'boolean', default: false }
  }
})

if (values.node) {
  const outDir = resolve('build', 'gpu-bench')
  await build({
    configFile: false, logLevel: 'warn', ssr: { noExternal: true, target: 'node' },
    build: { ssr: resolve('tests/bench/gpu/node.ts'), outDir, emptyOutDir: true, target: 'es2023', minify: false, rolldownOptions: { output: { entryFileNames: 'node.mjs', codeSplitting: false } } }
  })
  process.stdout.write(`${join(outDir, 'node.mjs')}\n`)
  process.exit(0)
}

const served = await serveTestPage('tests/bench/gpu/page')
const url = `${served.url}?models=${values.models}&seed=${values.seed}&ms=${values.ms}&floats=${values['no-floats'] ? 0 : 1}`
if (values.serve) {
  process.stderr.write(`open ${url}\n`)
} else {
  const profile = await mkdtemp(join(tmpdir(), 'commonweight-bench-gpu-'))
  const context = await openProfile(profile, values.software ? SOFTWARE_GPU : HARDWARE_GPU)
  let code = 0
  try {
    const page = await context.newPage()
    page.on('console', message => { process.stderr.write(`${message.text()}\n`) })
    page.setDefaultTimeout(0)
    await page.goto(url)
    await page.waitForFunction(() => window.gpuReport !== undefined)
    process.stdout.write(`${JSON.stringify(await page.evaluate(async () => await window.gpuReport), undefined, 2)}\n`)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    code = 1
  } finally {
    await context.close()
    await served.stop()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  process.exit(code)
}

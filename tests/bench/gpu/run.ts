/**
 * `npm run bench:gpu`: builds the page and opens it in Chromium with the machine's GPU; the report is
 * JSON on stdout, and exit code 1 if a bit is another than the reference's.
 *   --software      Chromium's own software adapter instead
 *   --serve         only serves the page, for a browser of your choice
 *   --models N      random models per product path (200), of --seed N (1)
 *   --ms N          time per model and backend, ms (2000)
 *   --no-floats     without TensorFlow.js beside it
 * `npm run soak:compute` is this with thousands of models on the software adapter.
 * Without a browser: `npm run bench:gpu -- --node` writes build/gpu-bench/node.mjs, one file that runs
 * under Node with the npm package webgpu: node node.mjs PATH-OF-THE-PACKAGE [models] [ms].
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { addressOf, reportInChromium, serveReport } from './chromium.ts'
import { isRight } from './report.ts'

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

const served = await serveReport()
const asked = { models: Number(values.models), seed: Number(values.seed), ms: Number(values.ms), floats: !values['no-floats'] }
if (values.serve) {
  process.stderr.write(`open ${addressOf(served, asked)}\n`)
} else {
  let code = 0
  try {
    const report = await reportInChromium(served, asked, values.software, line => { process.stderr.write(`${line}\n`) })
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
    if (!isRight(report)) {
      process.stderr.write('bits differ from the reference\'s\n')
      code = 1
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    code = 1
  } finally {
    await served.stop()
  }
  process.exit(code)
}

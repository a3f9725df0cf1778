/**
 * `npm run bench:gpu`: builds the page and opens it in Chromium with the machine's GPU. `npm run soak:compute`
 * is this with thousands of models on the software adapter.
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'vite'
import { number, runCommand, say } from '../../../src/cli/arguments.ts'
import { addressOf, reportInChromium, serveReport } from './chromium.ts'
import { isRight } from './report.ts'

const USAGE = `npm run bench:gpu -- [--models 200] [--seed 1] [--ms 2000] [--software] [--no-floats] [--serve | --node]

  --models N   random models per product path (1..1000000), of --seed N
  --ms N       time per model and backend, ms (1..600000)
  --software   Chromium's own software adapter instead of the machine's GPU
  --no-floats  without TensorFlow.js beside it
  --serve      only serves the page, for a browser of your choice
  --node       without a browser: writes build/gpu-bench/node.mjs, one file that runs under Node with the
               npm package webgpu: node node.mjs PATH-OF-THE-PACKAGE [models] [ms]

npm run soak:compute is npm run bench:gpu -- --software --no-floats --ms 1 --models 3000, and takes the same options.

The report is JSON on stdout; exit code 1 if a bit is another than the reference's.`

async function writeForNode (): Promise<void> {
  const outDir = resolve('build', 'gpu-bench')
  await build({
    configFile: false, logLevel: 'warn', ssr: { noExternal: true, target: 'node' },
    build: { ssr: resolve('tests/bench/gpu/node.ts'), outDir, emptyOutDir: true, target: 'es2023', minify: false, rolldownOptions: { output: { entryFileNames: 'node.mjs', codeSplitting: false } } }
  })
  process.stdout.write(`${join(outDir, 'node.mjs')}\n`)
}

await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      software: { type: 'boolean', default: false }, serve: { type: 'boolean', default: false }, node: { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
      models: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' }, ms: { type: 'string', default: '2000' }, 'no-floats': { type: 'boolean', default: false }
    }
  })
  if (values.help) { process.stdout.write(`${USAGE}\n`); return 0 }
  const asked = { models: number('models', values.models, 1, 1_000_000, true)!, seed: number('seed', values.seed, 0, 2 ** 32 - 1, true)!, ms: number('ms', values.ms, 1, 600_000, false)!, floats: !values['no-floats'] }
  if (values.node) {
    await writeForNode()
    return 0
  }
  const served = await serveReport()
  if (values.serve) {
    say(`open ${addressOf(served, asked)}`)
    return 0
  }
  try {
    const report = await reportInChromium(served, asked, values.software, say)
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
    if (isRight(report)) return 0
    say('bits differ from the reference\'s')
    return 1
  } catch (e) {
    say(e instanceof Error ? e.message : String(e))
    return 1
  } finally {
    await served.stop()
  }
})

/** The report under Node: node node.mjs PATH-OF-THE-WEBGPU-PACKAGE [models] [ms]. */
import { pathToFileURL } from 'node:url'
import { join, resolve } from 'node:path'
import { gpuReport, isRight } from './report.ts'

const [path, models = '200', ms = '2000'] = process.argv.slice(2)
if (path === undefined) {
  process.stderr.write('usage: node node.mjs PATH-OF-THE-WEBGPU-PACKAGE [models] [ms]\n')
  process.exit(2)
}
const { create, globals } = await import(pathToFileURL(join(resolve(path), 'index.js')).href) as { create: (options: string[]) => GPU, globals: object }
// Kept for good: collected, the instance takes its devices with it.
const kept = Object.assign(globalThis, globals, { gpuInstance: create([]) })
try {
  const report = await gpuReport({ gpu: kept.gpuInstance, models: Number(models), seed: 1, budgetMs: Number(ms), say: line => { process.stderr.write(`${line}\n`) } })
  process.stdout.write(`${JSON.stringify({ ...report, node: process.version }, undefined, 2)}\n`)
  process.exit(isRight(report) ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack ?? error.message : String(error)}\n`)
  process.exit(1)
}

/** Plants the bug named by `--plant NAME` among the arguments: `node --import .../plant.mjs --import tsx program.ts --plant NAME`. */
import { register } from 'node:module'
import { plantNamed } from './table.mjs'

register('./hooks.mjs', import.meta.url, { data: plantNamed(process.argv[process.argv.indexOf('--plant') + 1]) })

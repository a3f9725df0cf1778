/** Plants the bug it is asked for in its own address: `node --import .../plant.mjs?name=NAME --import tsx program.ts`. */
import { register } from 'node:module'
import { plantNamed } from './table.mjs'

register('./hooks.mjs', import.meta.url, { data: plantNamed(new URL(import.meta.url).searchParams.get('name')) })

/** Builds the WASM kernels when their source is newer than what was built from it. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT, withLock } from './lock.mjs'
import { Failure, runMain, runNode, say } from './process.mjs'

const SOURCE = join(ROOT, 'src', 'compute', 'wasm', 'assembly')
const BUILDER = join(ROOT, 'scripts', 'build-wasm.ts')
const OUTPUT = join(ROOT, 'src', 'compute', 'wasm', 'kernels.wasm.ts')
const STAMP = join(ROOT, 'build', 'wasm-stamp')

function wantedStamp () {
  const hash = createHash('sha256')
  const add = path => hash.update(path.slice(ROOT.length)).update('\0').update(readFileSync(path)).update('\0')
  add(BUILDER)
  for (const name of readdirSync(SOURCE, { recursive: true }).sort()) {
    if (name.endsWith('.ts')) add(join(SOURCE, name))
  }
  return hash.digest('hex')
}

/** What was built, not only from what: a hand-edited or half-written output is built again. */
const stampOf = wanted => existsSync(OUTPUT) ? `${wanted} ${createHash('sha256').update(readFileSync(OUTPUT)).digest('hex')}\n` : ''

const fresh = wanted => existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stampOf(wanted)

export async function ensureWasm () {
  const wanted = wantedStamp()
  if (fresh(wanted)) return
  await withLock('wasm', () => say('another run is building the kernels; waiting for it'), async () => {
    if (fresh(wanted)) return
    say('building the WASM kernels')
    const code = await runNode(['--import', 'tsx', BUILDER], { cwd: ROOT, stdio: ['ignore', process.stderr, process.stderr] })
    if (code !== 0 || !existsSync(OUTPUT)) throw new Failure('the WASM kernels did not build; the compiler\'s words are above.')
    mkdirSync(dirname(STAMP), { recursive: true })
    writeFileSync(STAMP, stampOf(wanted))
  })
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runMain(ensureWasm)
}

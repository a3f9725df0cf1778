/**
 * Installs what package-lock.json names, once: later runs see the stamp and need no network.
 * Called inside every npm script (not as a `pre` script, which `ignore-scripts` would skip).
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT, withLock } from './lock.mjs'
import { Failure, runMain, runProgram, say } from './process.mjs'

const STAMP = join(ROOT, 'node_modules', '.commonweight-stamp')
const LOCKFILE = join(ROOT, 'package-lock.json')

function wantedStamp () {
  const lock = createHash('sha256').update(readFileSync(LOCKFILE)).digest('hex')
  return `${lock} ${process.platform}-${process.arch}\n`
}

function stampIs (wanted) {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted
}

/** npm's rule for `os` and `cpu`: a list of names, or of names refused with a leading "!". */
function admits (list, mine) {
  if (list === undefined) return true
  const refused = list.filter(name => name.startsWith('!')).map(name => name.slice(1))
  const named = list.filter(name => !name.startsWith('!'))
  return !refused.includes(mine) && (named.length === 0 || named.includes(mine))
}

/** Whether a tree installed by hand (npm install) already holds what the lock file names. */
function treeMatchesLock () {
  const held = join(ROOT, 'node_modules', '.package-lock.json')
  if (!existsSync(held)) return false
  const have = JSON.parse(readFileSync(held, 'utf8')).packages
  const want = JSON.parse(readFileSync(LOCKFILE, 'utf8')).packages
  return Object.entries(want).every(([path, entry]) => {
    if (path === '') return true
    const mine = have[path]
    if (mine === undefined) {
      // An optional package is made for some platforms, or is what such a one depends on.
      const forHere = entry.os !== undefined && entry.libc === undefined && admits(entry.os, process.platform) && admits(entry.cpu, process.arch)
      return entry.optional === true && !forHere
    }
    return mine.version === entry.version && existsSync(join(ROOT, path, 'package.json'))
  })
}

/** How to call npm: the one that runs this script if there is one, otherwise the one on PATH. */
function npmCommand (args) {
  const running = process.env.npm_execpath
  if (running !== undefined && /npm-cli\.[cm]?js$/.test(running) && existsSync(running)) {
    return { command: process.execPath, args: [running, ...args], shell: false }
  }
  return { command: 'npm', args, shell: process.platform === 'win32' }
}

async function install () {
  say('installing the packages of package-lock.json (npm ci); the next run will need no network')
  // No package here needs its install script, so none may run one. Development packages are part of
  // every task (the page is built here), also where NODE_ENV=production would leave them out.
  const { command, args, shell } = npmCommand(['ci', '--include=dev', '--include=optional', '--ignore-scripts', '--no-audit', '--no-fund'])
  let code
  try {
    code = await runProgram(command, args, { cwd: ROOT, shell, stdio: ['ignore', process.stderr, process.stderr] })
  } catch (error) {
    throw new Failure(`npm could not be started (${error.message}). Install Node 20.19 or later together with npm, then try again.`)
  }
  if (code !== 0) {
    throw new Failure(`npm ci failed (exit code ${code}); its words are above. The package registry must be reachable for this first installation. Nothing else was started; run the same command again.`)
  }
  // tsx and vite call esbuild: better to learn here than in a stack trace that it cannot run.
  const check = "require('esbuild').transformSync('let a: number = 1', { loader: 'ts' })"
  if (await runProgram(process.execPath, ['-e', check], { cwd: ROOT, stdio: ['ignore', process.stderr, process.stderr] }) !== 0) {
    throw new Failure('the packages are installed, but esbuild does not run on this machine; its words are above.')
  }
}

export async function ensureDeps () {
  const wanted = wantedStamp()
  if (stampIs(wanted)) return
  await withLock('deps', () => say('another run is installing the packages; waiting for it'), async () => {
    if (stampIs(wanted)) return
    if (!treeMatchesLock()) await install()
    writeFileSync(STAMP, wanted)
  })
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await runMain(ensureDeps)

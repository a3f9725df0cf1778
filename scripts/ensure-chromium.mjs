/**
 * Finds a Chromium that runs, or installs one. Browser tests never pass without a browser: where
 * none can be had, this fails and says what to do.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ROOT } from './lock.mjs'
import { Failure, runMain, runProgram, say } from './process.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']
const PLACES = [
  '/usr/bin/chromium', '/usr/lib/chromium/chromium', '/usr/bin/chromium-browser', '/snap/bin/chromium',
  '/usr/bin/google-chrome', '/opt/google/chrome/chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe'
]
/** A download that hangs must not hang the tests with it. */
const INSTALL_TIMEOUT_MS = 6 * 60_000

function onPath () {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return (process.env.PATH ?? '').split(delimiter).filter(Boolean).flatMap(dir => NAMES.map(name => join(dir, name + suffix)))
}

/** What `playwright install chromium` leaves, newest revision first. */
function inPlaywrightCache () {
  const roots = [
    process.env.PLAYWRIGHT_BROWSERS_PATH,
    join(homedir(), '.cache', 'ms-playwright'),
    join(homedir(), 'Library', 'Caches', 'ms-playwright'),
    join(homedir(), 'AppData', 'Local', 'ms-playwright')
  ].filter(root => root !== undefined && existsSync(root))
  const inside = ['chrome-linux/chrome', 'chrome-linux64/chrome', 'chrome-win/chrome.exe', 'chrome-win64/chrome.exe',
    'chrome-mac/Chromium.app/Contents/MacOS/Chromium',
    'chrome-mac-arm64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing',
    'chrome-mac-x64/Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing']
  return roots.flatMap(root => readdirSync(root)
    .filter(name => /^chromium-\d+$/.test(name))
    .sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)))
    .flatMap(name => inside.map(path => join(root, name, path))))
}

/** A file that is there may still be a stub or lack a library: only one that answers counts. */
function version (path) {
  if (!existsSync(path)) return undefined
  const run = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 30_000 })
  return run.status === 0 && /Chrom/.test(run.stdout) ? run.stdout.trim() : undefined
}

function find () {
  const given = process.env.CHROMIUM_PATH
  if (given !== undefined && given !== '') {
    if (version(given) === undefined) throw new Failure(`CHROMIUM_PATH is ${given}, which does not run as a Chromium. Correct it or unset it.`)
    return given
  }
  return [...onPath(), ...PLACES, ...inPlaywrightCache()].find(path => version(path) !== undefined)
}

let found

/** Path of a Chromium that runs. Throws where there is none: call ensureChromium first. */
export function chromiumPath () {
  found ??= find()
  if (found === undefined) throw new Failure('no Chromium found: run `node scripts/ensure-chromium.mjs`, or set CHROMIUM_PATH')
  return found
}

async function tryInstall (label, command, args) {
  say(`no Chromium found: ${label}`)
  let code
  try {
    code = await runProgram(command, args, {
      cwd: ROOT, timeoutMs: INSTALL_TIMEOUT_MS, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', process.stderr, process.stderr]
    })
  } catch (error) {
    say(`${command}: ${error.message}`)
    return false
  }
  if (code !== 0) say(`${command} ended with exit code ${code}`)
  return code === 0
}

async function install () {
  const cli = join(ROOT, 'node_modules', '@playwright', 'test', 'cli.js')
  await tryInstall('downloading the one that Playwright publishes', process.execPath, [cli, 'install', 'chromium'])
  if (find() !== undefined) return
  const apt = ['/usr/bin/apt-get', '/bin/apt-get'].find(path => existsSync(path))
  if (apt === undefined || process.getuid?.() !== 0) return
  await tryInstall('apt-get update', apt, ['update'])
  await tryInstall('apt-get install chromium', apt, ['install', '-y', '--no-install-recommends', 'chromium'])
}

/** Path of a Chromium that runs, installed first if need be. */
export async function ensureChromium () {
  if (find() === undefined) await install()
  found = find()
  if (found === undefined) {
    throw new Failure('the browser tests need Chromium and none could be found or installed. Install it (for example `apt-get install chromium` as root, or `npx playwright install --with-deps chromium`), or set CHROMIUM_PATH to one, and run again.')
  }
  return found
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runMain(async () => {
    const path = await ensureChromium()
    say(`${version(path)} at ${path}`)
  })
}

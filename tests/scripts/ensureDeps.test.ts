/**
 * The installer on a small project of its own, whose one package is a local folder: npm needs no
 * network for it, and every run is given a registry that nobody answers at.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let project: string

const write = (path: string, value: unknown): void => { writeFileSync(join(project, path), JSON.stringify(value, null, 2)) }

/** A manifest and its lock file; `missing` names a package that only a registry has. */
function manifest (version: string, missing = false): void {
  const dependencies = { esbuild: 'file:local/esbuild', ...(missing ? { 'surely-absent': '1.0.0' } : {}) }
  write('package.json', { name: 'project', version, dependencies })
  write('package-lock.json', {
    name: 'project',
    version,
    lockfileVersion: 3,
    requires: true,
    packages: {
      '': { name: 'project', version, dependencies },
      'local/esbuild': { version: '1.0.0' },
      'node_modules/esbuild': { resolved: 'local/esbuild', link: true },
      ...(missing ? { 'node_modules/surely-absent': { version: '1.0.0' } } : {})
    }
  })
}

interface Ended { readonly code: number | null, readonly stdout: string, readonly stderr: string }

function ensure (env: Record<string, string | undefined> = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(project, 'scripts', 'ensure-deps.mjs')], {
      env: { ...process.env, npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0', npm_config_cache: join(project, 'cache'), ...env }
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text: Buffer) => { stdout += text.toString() })
    child.stderr.on('data', (text: Buffer) => { stderr += text.toString() })
    child.on('error', reject)
    child.on('close', code => { resolve({ code, stdout, stderr }) })
  })
}

const installs = (ended: Ended): boolean => ended.stderr.includes('npm ci')
const stamp = (): string => readFileSync(join(project, 'node_modules', '.commonweight-stamp'), 'utf8')

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'commonweight-deps-'))
  cpSync('scripts', join(project, 'scripts'), { recursive: true, filter: path => !path.endsWith('.ts') })
  mkdirSync(join(project, 'local', 'esbuild'), { recursive: true })
  write('local/esbuild/package.json', { name: 'esbuild', version: '1.0.0', main: 'main.js' })
  writeFileSync(join(project, 'local', 'esbuild', 'main.js'), 'exports.transformSync = () => {}\n')
  manifest('1.0.0')
})

afterEach(() => { rmSync(project, { recursive: true, force: true }) })

describe('ensure-deps', () => {
  test('installs once; a second run does nothing and prints nothing', async () => {
    const first = await ensure()
    expect(first).toMatchObject({ code: 0, stdout: '' })
    expect(installs(first)).toBe(true)
    expect(existsSync(join(project, 'node_modules', 'esbuild', 'main.js'))).toBe(true)
    expect(await ensure()).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('a changed lock file is installed again', async () => {
    await ensure()
    const before = stamp()
    manifest('1.0.1')
    rmSync(join(project, 'node_modules', '.package-lock.json'))
    const again = await ensure()
    expect(again.code).toBe(0)
    expect(installs(again)).toBe(true)
    expect(stamp()).not.toBe(before)
  })

  test('a tree that npm install has made by hand is taken as it is', async () => {
    await ensure()
    rmSync(join(project, 'node_modules', '.commonweight-stamp'))
    // Without any npm to be found: it must not be asked.
    expect(await ensure({ PATH: '', npm_execpath: undefined })).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(stamp()).toContain(process.platform)
  })

  test('a tree that lacks a package is installed again', async () => {
    await ensure()
    rmSync(join(project, 'node_modules', '.commonweight-stamp'))
    rmSync(join(project, 'node_modules', 'esbuild'), { recursive: true })
    const again = await ensure()
    expect(again.code).toBe(0)
    expect(installs(again)).toBe(true)
    expect(existsSync(join(project, 'node_modules', 'esbuild', 'main.js'))).toBe(true)
  })

  test('two at once: one installs, the other waits for it', async () => {
    const both = await Promise.all([ensure(), ensure()])
    expect(both.map(ended => ended.code)).toEqual([0, 0])
    expect(both.filter(installs)).toHaveLength(1)
    expect(both.filter(ended => ended.stderr.includes('waiting'))).toHaveLength(1)
  })

  test('an unreachable registry is a failure in words, leaves no stamp, and a later run mends it', async () => {
    manifest('1.0.0', true)
    const failed = await ensure()
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('run the same command again')
    expect(existsSync(join(project, 'node_modules', '.commonweight-stamp'))).toBe(false)
    manifest('1.0.0')
    expect((await ensure()).code).toBe(0)
  })

  test('no npm at all is a failure in words', async () => {
    const failed = await ensure({ PATH: '', npm_execpath: undefined })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('Install Node')
  })

  test('NODE_ENV=production leaves nothing out', async () => {
    const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8'))
    const { dependencies } = lock.packages['']
    write('package.json', { name: 'project', version: '1.0.0', devDependencies: dependencies })
    lock.packages[''] = { name: 'project', version: '1.0.0', devDependencies: dependencies }
    lock.packages['local/esbuild'].dev = true
    write('package-lock.json', lock)
    expect((await ensure({ NODE_ENV: 'production' })).code).toBe(0)
    expect(existsSync(join(project, 'node_modules', 'esbuild', 'main.js'))).toBe(true)
  })

  test('a lock left behind by a run that died does not stop the next one', async () => {
    const lock = join(project, 'build', 'deps.lock')
    mkdirSync(lock, { recursive: true })
    utimesSync(lock, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000))
    expect((await ensure()).code).toBe(0)
    expect(existsSync(lock)).toBe(false)
  })
})

/** The repository keeps its own rules (the walls of its layout, purity, no leftovers). */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { barrelFindings, lengthFindings, purityFindings, skippedTestFindings, textFindings } from './rules.ts'
import { isScript, isText, listFiles, readSource, type Finding } from './source.ts'
import { cycleFindings, danglingFindings, undeclaredFindings, wallFindings } from './walls.ts'

const MAX_LINES = 600

const files = listFiles('.')
const scripts = files.filter(isScript)
const sources = scripts.map(readSource)
const texts = files.filter(path => isText(path) && path !== 'package-lock.json').map(path => [path, readFileSync(path, 'utf8')] as const)

const under = (...folders: string[]): typeof sources => sources.filter(({ path }) => folders.some(folder => path.startsWith(folder)))
const shipped = under('src/', 'workers/', 'server/')

function none (findings: readonly Finding[]): void {
  expect(findings.join('\n')).toBe('')
}

test('the rules see the repository', () => {
  expect(shipped.map(source => source.path)).toContain('src/core/params.ts')
  expect(under('src/core/').length).toBeGreaterThan(20)
  expect(under('src/compute/reference/').length).toBeGreaterThan(1)
  expect(under('tests/').map(source => source.path)).toContain('tests/tidy/tidy.test.ts')
  expect(texts.map(([path]) => path)).toEqual(expect.arrayContaining(['package.json', 'index.html', '.ci/run', 'README.md']))
})

describe('layout', () => {
  test('every import stays within the walls', () => { none(shipped.flatMap(wallFindings)) })

  test('no import cycle', () => { none(cycleFindings(shipped)) })

  test('every relative import names a file', () => {
    const built = 'src/compute/wasm/kernels.wasm.ts'
    none(sources.flatMap(source => danglingFindings(source, path => path === built || existsSync(path))))
  })

  test('the auditor shares nothing with what it audits but the arithmetic', () => {
    const own = (path: string): boolean => path.startsWith('tests/simulation/audit/') || path.startsWith('tests/support/') || path === 'src/compute/reference/referenceKernels.ts'
    const audit = under('tests/simulation/audit/').filter(({ path }) => !path.endsWith('.test.ts'))
    expect(audit.length).toBeGreaterThan(10)
    none(audit.flatMap(({ path, imports }) => imports.filter(one => one.path !== undefined && !own(one.path)).map(one => `${path}:${one.line}: ${one.specifier} is the node's`)))
  })

  test('what is loaded apart is loaded by lazyView, which tries again where the server is gone', () => {
    none(texts.filter(([path]) => path.startsWith('src/ui/') && path !== 'src/ui/lazyView.ts').flatMap(([path, text]) => textFindings(path, text, /(?<!\w)lazy\(/g, 'use lazyView')))
  })

  test('no barrels', () => { none(shipped.flatMap(barrelFindings)) })

  test(`no file longer than ${MAX_LINES} lines`, () => {
    none(texts.filter(([path]) => isScript(path)).flatMap(([path, text]) => lengthFindings(path, text, MAX_LINES)))
  })
})

test('core and the reference kernels are pure: no clock, no randomness, no floats, no promises', () => {
  none(under('src/core/', 'src/compute/reference/').flatMap(purityFindings))
})

describe('tests', () => {
  test('none is skipped, singled out or postponed', () => { none(under('tests/').flatMap(skippedTestFindings)) })

  test('every test file is one that a runner takes', () => {
    // A compliance suite defines its tests inside a function that a *.test.ts or *.e2e.ts calls.
    const runs = /\.(test\.tsx?|e2e\.ts)$|^tests\/compliance\//
    none(under('tests/')
      .filter(({ path, imports }) => !runs.test(path) && imports.some(one => one.package === 'vitest') && /^\s*(test|describe)\(/m.test(readFileSync(path, 'utf8')))
      .map(({ path }) => `${path}:1: defines tests, but is named neither *.test.ts nor *.e2e.ts`))
  })
})

describe('leftovers', () => {
  // Put together from halves, so that this file does not find itself.
  const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`, 'g')

  test('no reminders', () => { none(texts.flatMap(([path, text]) => textFindings(path, text, marks, 'do it, or write down why not'))) })

  test('no path of the machine it was written on', () => {
    const root = resolve('.')
    const places = [root, dirname(root), homedir()].filter(path => path.length > 3 && path !== '/tmp')
    const escaped = places.map(path => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
    const pattern = new RegExp(`(?<![\\w.}/-])(${escaped})(?=[/\\\\]\\w)|(?<![\\w.}])[/\\\\](home|Users)[/\\\\]\\w+|(?<![\\w.}/])/tmp/\\w+`, 'g')
    none(texts.flatMap(([path, text]) => textFindings(path, text, pattern, 'a path of one machine')))
  })

  test('no package registry by name', () => {
    const pattern = new RegExp(`\\b(${['registry', 'npm'].join('|')})\\.[a-z0-9-]+\\.[a-z]{2,}|\\b(${['artifac' + 'tory', 'verdac' + 'cio', 'jfr' + 'og'].join('|')})\\b`, 'gi')
    none(texts.flatMap(([path, text]) => textFindings(path, text, pattern, 'where packages come from is the user\'s setting')))
  })
})

describe('packages', () => {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
  const declared = new Set<string>([...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)])

  /** Used by a command, by the compiler, or (events) by what streamx becomes in a browser; not by an import. */
  const TOOLS = new Set(['events', '@types/node', '@types/ws', 'assemblyscript', 'happy-dom', 'tsx', 'typescript'])

  test('what is imported is in package.json', () => { none(sources.flatMap(source => undeclaredFindings(source, declared))) })

  test('what is in package.json is imported, or a tool', () => {
    const used = new Set(sources.flatMap(source => source.imports.map(one => one.package)))
    expect([...declared].filter(name => !used.has(name) && !TOOLS.has(name))).toEqual([])
  })

  test('the lock file names no host that packages come from', () => {
    const lock = readFileSync('package-lock.json', 'utf8')
    none(textFindings('package-lock.json', lock, /"resolved"|https?:\/\/[^"]*\.tgz/g, 'set omit-lockfile-registry-resolved and make the lock file anew'))
  })

  test('the lock file is of this package.json', () => {
    const root = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages['']
    expect(root.dependencies).toEqual(manifest.dependencies)
    expect(root.devDependencies).toEqual(manifest.devDependencies)
  })

  test('every script runs a file that is there', () => {
    const missing = Object.entries<string>(manifest.scripts).flatMap(([name, command]) =>
      [...command.matchAll(/[\w/.-]+\.(mjs|ts)\b/g)].map(match => match[0]).filter(path => !existsSync(path)).map(path => `${name}: ${path}`))
    expect(missing).toEqual([])
  })
})

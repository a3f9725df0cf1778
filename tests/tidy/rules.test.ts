/** Each tidy rule finds what it is for, on the line where it is, and lets the rest pass. */
import { describe, expect, test } from 'vitest'
import { barrelFindings, lengthFindings, purityFindings, skippedTestFindings, textFindings } from './rules.ts'
import { parseSource, type Finding } from './source.ts'
import { cycleFindings, danglingFindings, undeclaredFindings, wallFindings } from './walls.ts'

const lines = (findings: readonly Finding[]): number[] => findings.map(finding => Number(finding.split(':')[1]))

describe('walls', () => {
  const wall = (path: string, text: string): Finding[] => wallFindings(parseSource(path, text))

  test.each([
    ['src/core/codec/a.ts', "import { hash } from '../crypto/hash.ts'"],
    ['src/core/crypto/a.ts', "import { x } from '../ledger/state.ts'"],
    ['src/core/ledger/a.ts', "import type { x } from '../training/shape.ts'"],
    ['src/core/training/a.ts', "export { x } from '../consensus/chain.ts'"],
    ['src/core/consensus/a.ts', "import type { Clock } from '../../ports/clock.ts'"],
    ['src/core/consensus/a.ts', "import { openDB } from 'idb'"],
    ['src/ports/a.ts', "import { decode } from '../core/codec/ssz.ts'"],
    ['src/compute/a.ts', "import { x } from '../storage/memory.ts'"],
    ['src/net/a.ts', "import type { x } from '../compute/pool.ts'"],
    ['src/storage/a.ts', "import { x } from '../node/log.ts'"],
    ['src/storage/a.ts', "import { createLibp2p } from 'libp2p'"],
    ['src/node/a.ts', "import { x } from '../net/memory.ts'"],
    ['src/node/a.ts', "import fs from 'node:fs'"],
    ['src/bridge/a.ts', "import { Node } from '../node/node.ts'"],
    ['src/ui/a.tsx', "import { x } from '../node/chain.ts'"],
    ['src/ui/a.tsx', "import { applyBlock } from '../core/consensus/apply.ts'"],
    ['src/ui/a.tsx', "const x = await import('../net/mesh.ts')"],
    ['src/ui/a.tsx', "new Worker(new URL('../../workers/node.ts', import.meta.url))"],
    ['workers/a.ts', "import { x } from '../server/main.ts'"],
    ['src/elsewhere/a.ts', 'export const a = 1']
  ])('%s: %s is refused', (path, text) => {
    expect(lines(wall(path, `\n${text}\n`))).toEqual([path === 'src/elsewhere/a.ts' ? 1 : 2])
  })

  test.each([
    ['src/core/consensus/a.ts', "import { hash } from '../crypto/hash.ts'\nimport { b } from './b.ts'"],
    ['src/ports/a.ts', "import type { JobSpec } from '../core/codec/jobSpec.ts'"],
    ['src/net/a.ts', "import { identify } from '@libp2p/identify'\nimport { x } from '../ports/network.ts'"],
    ['src/bridge/a.ts', "import type { Node } from '../node/node.ts'"],
    ['src/ui/views/a.tsx', "import { formatAmount } from '../../core/codec/amount.ts'\nimport { createSignal } from 'solid-js'\nimport type { JobSpec } from '../../core/training/shape.ts'"],
    ['src/main.tsx', "import { x } from './storage/slots.ts'\nnew Worker(new URL('../workers/node.ts', import.meta.url))"],
    ['server/main.ts', "import http from 'node:http'"]
  ])('%s: %s passes', (path, text) => { expect(wall(path, text)).toEqual([]) })

  test('a cycle is found through three files, unless one of its imports is a type', () => {
    const a = parseSource('src/a.ts', "import { b } from './b.ts'")
    const b = parseSource('src/b.ts', "\nimport { c } from './c.ts'")
    const c = parseSource('src/c.ts', "export * from './a.ts'")
    expect(cycleFindings([a, b, c])).toEqual(['src/c.ts:1: import cycle src/a.ts -> src/b.ts -> src/c.ts -> src/a.ts'])
    expect(cycleFindings([a, b, parseSource('src/c.ts', "import type { a } from './a.ts'")])).toEqual([])
    expect(cycleFindings([parseSource('src/a.ts', "import './a.ts'")])).toHaveLength(1)
  })

  test('a file that is not there and a package that is not declared are found', () => {
    const source = parseSource('src/a.ts', "import './b.ts'\nimport './c'\nimport 'idb'\nimport '@noble/hashes/blake3.js'\nimport 'node:fs'")
    expect(lines(danglingFindings(source, path => path === 'src/b.ts'))).toEqual([2])
    expect(lines(undeclaredFindings(source, new Set(['@noble/hashes'])))).toEqual([3])
  })
})

describe('purity', () => {
  const pure = (text: string): Finding[] => purityFindings(parseSource('src/core/a.ts', text))

  test.each([
    'const t = Date.now()', 'const t = new Date()', 'const r = Math.random()', 'const e = Math.exp(1)', 'const s = Math.sqrt(2)',
    'const p = Math.pow(2, 3)', 'const m = Math["exp"](1)', 'const h = 0.5', 'const h = 1e-3', 'const big = 9007199254740993', 'const f = parseFloat("1")', 'const a = new Float64Array(1)',
    'setTimeout(() => {}, 0)', 'fetch("x")', 'console.log(1)', 'crypto.getRandomValues(a)', 'globalThis.x = 1', 'const { log } = console',
    'export async function f () {}', 'const p = Promise.resolve()', 'const w = { fetch }',
    'const r = /[\\p{Cc}\\p{Cf}]/u', 'const r = /^\\P{L}/u'
  ])('%s is refused', text => { expect(new Set(lines(pure(`\n${text}`)))).toEqual(new Set([2])) })

  test.each([
    'const n = Math.floor(7 / 2) + Math.imul(3, 5)', 'const big = 1n << 256n', 'const k = 1e6', 'const x = 0xffff_ffff',
    'const block = { fetch: 1, Date: 2 }', 'block.crypto.process', 'function mean (window: number) { return window + 1 }', 'const process = 3; f(process)', 'type T = { Date: number, console: string }', 'function f (a: { fetch: number }) { return a.fetch }',
    'const r = /^[0-9a-f\\\\p]*$/',
    '// Date.now() and 0.5 in words\nconst s = "Math.random() 0.5"'
  ])('%s passes', text => { expect(pure(text)).toEqual([]) })
})

describe('files', () => {
  test('a file of re-exports is a barrel; one that defines something is not', () => {
    const barrel = (text: string): Finding[] => barrelFindings(parseSource('src/index.ts', text))
    expect(barrel("export * from './a.ts'\nexport { b } from './b.ts'")).toHaveLength(1)
    expect(barrel("import './polyfill.ts'\nexport type { A } from './a.ts'")).toHaveLength(1)
    expect(barrel("export { a } from './a.ts'\nexport const b = 1")).toEqual([])
    expect(barrel("import './a.ts'")).toEqual([])
    expect(barrel('')).toEqual([])
  })

  test.each(['only', 'skip', 'todo', 'skipIf', 'fails'])('a test marked %s is found', mark => {
    const found = (text: string): number[] => lines(skippedTestFindings(parseSource('tests/a.test.ts', text)))
    expect(found(`\ntest.${mark}('x', () => {})`)).toEqual([2])
    expect(found(`describe.${mark}(true)('x', () => {})`)).toEqual([1])
    expect(found(`\n\nit.concurrent.${mark}('x', () => {})`)).toEqual([3])
    expect(found(`list.${mark}(3); query.${mark} = 1`)).toEqual([])
  })

  test('a test that skips itself while it runs is found', () => {
    expect(skippedTestFindings(parseSource('tests/a.test.ts', "test('x', ctx => { if (!gpu) ctx.skip() })"))).toHaveLength(1)
  })

  test('words are found on their line', () => {
    expect(textFindings('a.md', 'one\ntwo bad\nbad', /bad/g, 'why')).toEqual(['a.md:2: "bad": why', 'a.md:3: "bad": why'])
  })

  test('length counts lines, not the last line break', () => {
    expect(lengthFindings('a.ts', 'x\n'.repeat(3), 3)).toEqual([])
    expect(lengthFindings('a.ts', 'x\n'.repeat(4), 3)).toHaveLength(1)
  })
})

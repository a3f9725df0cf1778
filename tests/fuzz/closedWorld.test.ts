/**
 * Nothing that reads what a stranger, a file or a disk hands it goes unfuzzed: every function that is
 * called like a reader, and every type that is decoded, is in some target, or stands here with why not.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { isScript, listFiles } from '../tidy/source.ts'
import { CORPUS_BYTES_MAX, CORPUS_FOLDER, CORPUS_INPUT_BYTES_MAX, CORPUS_INPUTS_MAX, loadCorpus } from './corpus.ts'
import { TARGETS } from './targets.ts'

const READER = /^(?:export )?(?:async )?(?:function|const) ((?:decode|parse|unpack|restore|datasetFrom|bech32mDecode|fromHex|gunzip|openKey|read(?:Frame|Records|Architecture|Layout|Part|Fields|WireHead)|utf8Text|verifyRange)\w*)(?: = )?(?:<\w+>)?(?: ?\()/gm
const DECODED = /\bdecode\((\w+),/g

const NOT_FUZZED: Readonly<Record<string, string>> = {
  'src/core/codec/ssz.ts#decode': 'every type is a row of its own, below',
  'src/node/syncServer.ts#parse': 'reads no bytes: it unwraps what decode has answered',
  'src/ui/router.ts#decoded': 'part of parseRoute, which is',
  'src/ui/parts/Values.tsx#parseValues': 'typed by the user for one record, split at blanks and matched digit by digit; tests/ui/try.test.tsx',
  'src/ui/views/LibraryLimits.tsx#parseAmount': 'typed by the user into one field, matched digit by digit; the node bounds it; tests/ui/torrents.test.ts',
  'server/options.ts#parseOptions': 'the flags of whoever starts the server'
}

const sources = listFiles('src', 'workers', 'server').filter(path => isScript(path) || path.endsWith('.tsx')).map(path => [path, readFileSync(path, 'utf8')] as const)
const readers = sources.flatMap(([path, text]) => [...text.matchAll(READER)].map(match => `${path}#${match[1]}`))
const decoded = sources.flatMap(([, text]) => [...text.matchAll(DECODED)].map(match => `src/core/codec/ssz.ts#decode ${match[1]}`)).filter(name => !name.endsWith(' type'))
const covered = new Set(TARGETS.flatMap(target => target.covers))

test('the readers are found', () => {
  expect(readers).toEqual(expect.arrayContaining(['src/core/codec/amount.ts#parseAmount', 'src/net/frames.ts#readFrame', 'src/core/codec/jobSpec.ts#decodeJobSpec', 'src/storage/keyBackup.ts#parse', 'workers/gunzip.ts#gunzip']))
  expect(decoded).toEqual(expect.arrayContaining(['src/core/codec/ssz.ts#decode Block', 'src/core/codec/ssz.ts#decode HeaderRecord']))
})

test('every reader has a target', () => {
  expect(readers.filter(name => !covered.has(name) && !(name in NOT_FUZZED))).toEqual([])
})

test('every type that is decoded has a target', () => {
  expect([...new Set(decoded)].filter(name => !covered.has(name))).toEqual([])
})

test('what a target says it covers is there, and so is what is left out', () => {
  const there = new Set([...readers, ...decoded])
  const types = /#decode \w+$/
  const named = [...covered].filter(name => !types.test(name))
  expect([...named, ...Object.keys(NOT_FUZZED)].filter(name => !there.has(name))).toEqual([])
})

test('names are unique, and every file of the corpus is a target\'s', () => {
  const names = TARGETS.map(target => target.name)
  expect(new Set(names).size).toBe(names.length)
  expect(listFiles(CORPUS_FOLDER).map(path => path.slice(CORPUS_FOLDER.length + 1)).filter(path => !names.includes(path.replace(/\.txt$/, '')))).toEqual([])
})

test('the table of docs/security.md counts them all', () => {
  const [, rows] = readFileSync('docs/security.md', 'utf8').split('| what (targets) |')
  const counts = [...rows.split('\n\n')[0].matchAll(/^\| [^|]*\((\d+)\) \|/gm)].map(match => Number(match[1]))
  expect(counts.reduce((a, b) => a + b, 0)).toBe(TARGETS.length)
})

test('the corpus is small', () => {
  let bytes = 0
  for (const path of listFiles(CORPUS_FOLDER)) bytes += readFileSync(path).length
  expect(bytes).toBeLessThanOrEqual(CORPUS_BYTES_MAX)
  for (const { name } of TARGETS) {
    const inputs = loadCorpus(name)
    expect(inputs.length).toBeLessThanOrEqual(CORPUS_INPUTS_MAX)
    for (const input of inputs) expect(input.length).toBeLessThanOrEqual(CORPUS_INPUT_BYTES_MAX)
  }
})

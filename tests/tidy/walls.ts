/**
 * Who may import whom: the one table. A row is a folder; the first row that holds a file is its
 * zone. What a row does not name is forbidden.
 */
import type { Finding, Source } from './source.ts'

interface Row {
  readonly zone: string
  /** Folders, or files, whose values it may import, beside its own. */
  readonly values: readonly string[]
  /** Folders of which it may import types only. */
  readonly types: readonly string[]
  /** Packages; '*' at the end matches any ending. */
  readonly packages: readonly string[]
}

const NOBLE = ['@noble/hashes', '@noble/curves', '@noble/ciphers']

const MAY_IMPORT: readonly Row[] = [
  { zone: 'src/core/params.ts', values: [], types: [], packages: [] },
  { zone: 'src/core/codec', values: ['src/core/params.ts'], types: [], packages: ['@chainsafe/ssz'] },
  { zone: 'src/core/crypto', values: ['src/core/params.ts', 'src/core/codec'], types: [], packages: NOBLE },
  { zone: 'src/core/ledger', values: ['src/core/params.ts', 'src/core/codec', 'src/core/crypto'], types: [], packages: ['@chainsafe/ssz'] },
  { zone: 'src/core/training', values: ['src/core/params.ts', 'src/core/codec', 'src/core/crypto', 'src/core/ledger'], types: [], packages: NOBLE },
  { zone: 'src/core/torrent', values: ['src/core/codec', 'src/core/crypto', 'src/core/training/utf8.ts'], types: [], packages: NOBLE },
  { zone: 'src/core/consensus', values: ['src/core/params.ts', 'src/core/codec', 'src/core/crypto', 'src/core/ledger', 'src/core/training'], types: [], packages: [] },
  { zone: 'src/ports', values: [], types: ['src/core'], packages: [] },
  // The pool of kernels has a Node side, for the command line: threads, and tsx to load them.
  { zone: 'src/compute', values: ['src/ports', 'src/core'], types: [], packages: ['hash-wasm', 'node:worker_threads', 'tsx', ...NOBLE] },
  { zone: 'src/net', values: ['src/ports', 'src/core'], types: [], packages: ['libp2p', '@libp2p/*', '@multiformats/multiaddr', 'retimeable-signal', 'ws', 'comlink', 'webtorrent', 'streamx', ...NOBLE] },
  { zone: 'src/storage', values: ['src/ports', 'src/core'], types: [], packages: ['idb', ...NOBLE] },
  // The records a node keeps on disk have the one encoding that everything has.
  { zone: 'src/node', values: ['src/ports', 'src/core'], types: ['src/bridge'], packages: ['@chainsafe/ssz'] },
  { zone: 'src/bridge', values: ['src/core'], types: ['src/node', 'src/ports'], packages: ['comlink'] },
  { zone: 'src/ui', values: ['src/bridge', 'src/core/params.ts', 'src/core/codec'], types: ['src/core', 'src/ports'], packages: ['solid-js', '@kobalte/core', 'uplot', 'uqr'] },
  { zone: 'src/sszBuffer.ts', values: [], types: [], packages: [] },
  // The places where concrete adapters are named.
  { zone: 'src/main.tsx', values: ['src', 'workers', 'package.json'], types: [], packages: ['*'] },
  { zone: 'src/cli', values: ['src', 'workers', 'server', 'scripts', 'examples', 'tests/bench', 'tests/simulation', 'package.json'], types: [], packages: ['*'] },
  { zone: 'workers', values: ['src'], types: [], packages: ['*'] },
  { zone: 'server', values: ['src', 'package.json'], types: [], packages: ['*'] }
]

const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)

const admits = (patterns: readonly string[], name: string): boolean =>
  patterns.some(pattern => pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name)

export function wallFindings (source: Source): Finding[] {
  const row = MAY_IMPORT.find(one => inside(source.path, one.zone))
  if (row === undefined) return [`${source.path}:1: no zone holds this file: give it a row in tests/tidy/walls.ts, or another place`]
  return source.imports.flatMap(({ path, package: name, typeOnly, line, specifier }) => {
    const at = `${source.path}:${line}: ${row.zone}`
    if (name !== undefined) return admits(row.packages, name) ? [] : [`${at} may not import the package ${name}`]
    if (path === undefined || inside(path, row.zone) || row.values.some(folder => inside(path, folder))) return []
    if (row.types.some(folder => inside(path, folder))) return typeOnly ? [] : [`${at} may import only types from ${specifier} (write "import type")`]
    return [`${at} may not import ${specifier}`]
  })
}

/** Runtime import cycles, each named once by its way round. */
export function cycleFindings (sources: readonly Source[]): Finding[] {
  const known = new Map(sources.map(source => [source.path, source]))
  const state = new Map<string, 'open' | 'done'>()
  const found: Finding[] = []
  const trail: string[] = []
  const walk = (path: string): void => {
    state.set(path, 'open')
    trail.push(path)
    for (const { path: next, typeOnly, line } of known.get(path)!.imports) {
      if (typeOnly || next === undefined || !known.has(next)) continue
      if (state.get(next) === 'open') found.push(`${path}:${line}: import cycle ${[...trail.slice(trail.indexOf(next)), next].join(' -> ')}`)
      else if (state.get(next) === undefined) walk(next)
    }
    trail.pop()
    state.set(path, 'done')
  }
  for (const { path } of sources) if (state.get(path) === undefined) walk(path)
  return found
}

/** A relative import of a file that is not there, or without its ending. */
export function danglingFindings (source: Source, exists: (path: string) => boolean): Finding[] {
  return source.imports
    .filter(({ path }) => path !== undefined && !exists(path))
    .map(({ specifier, line }) => `${source.path}:${line}: ${specifier} is not a file (write its ending, too)`)
}

/** A package that only happens to be installed because another one needs it. */
export function undeclaredFindings (source: Source, declared: ReadonlySet<string>): Finding[] {
  return source.imports
    .filter(({ package: name }) => name !== undefined && !name.startsWith('node:') && !declared.has(name))
    .map(({ package: name, line }) => `${source.path}:${line}: ${name} is not in package.json`)
}

/** Source files as the tidy rules see them: text, syntax tree, imports, and where each stands. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, posix, sep } from 'node:path'
import { parseSync } from 'vite'

/** A node of the syntax tree (ESTree, with TypeScript's additions). */
export interface Node { readonly type: string, readonly start: number, readonly end: number, readonly [field: string]: unknown }

export interface Import {
  /** As written: './a.ts' or 'solid-js/web'. */
  readonly specifier: string
  /** Path inside the repository, for a relative one. */
  readonly path?: string
  /** Name of the package, for the others; built-ins of Node keep their 'node:'. */
  readonly package?: string
  /** Erased when compiled. */
  readonly typeOnly: boolean
  readonly line: number
}

export interface Source {
  /** Inside the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly program: Node
  readonly imports: readonly Import[]
}

/** 'src/a.ts:12: what is wrong': an editor can jump to it. */
export type Finding = string

const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'build', 'test-results', 'playwright-report', 'screenshots', 'data'])
/** Built, not written: see .gitignore. */
const GENERATED = new Set(['src/compute/wasm/kernels.wasm.ts'])
const TEXT = new Set(['.ts', '.tsx', '.mts', '.mjs', '.js', '.json', '.md', '.html', '.css', '.svg', '.yml', '.yaml', '.txt', '.csv', '.sh', ''])

/** Paths of every file under the folders given, sorted. */
export function listFiles (...folders: readonly string[]): string[] {
  const found: string[] = []
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      // A folder, or in a second work tree a file that names it.
      if (name === '.git') continue
      const path = folder === '.' ? name : join(folder, name)
      if (statSync(path).isDirectory()) {
        if (!SKIPPED_FOLDERS.has(name)) walk(path)
      } else if (!GENERATED.has(path.split(sep).join('/'))) {
        found.push(path.split(sep).join('/'))
      }
    }
  }
  for (const folder of folders) walk(folder)
  return found.sort()
}

export const isText = (path: string): boolean => TEXT.has(extname(path))

/** AssemblyScript shares TypeScript's ending, not its rules. */
export const isScript = (path: string): boolean => /\.(ts|tsx|mts|mjs)$/.test(path) && !path.startsWith('src/compute/wasm/assembly/')

export function lineAt (text: string, offset: number): number {
  let line = 1
  for (let i = text.indexOf('\n'); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line++
  return line
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'

/** Visits `node` and everything below it, parents first. `field` is where it hangs on its parent. */
export function visit (node: Node, see: (node: Node, parent: Node | undefined, field: string) => void, parent?: Node, field = ''): void {
  see(node, parent, field)
  for (const [key, value] of Object.entries(node)) {
    if (Array.isArray(value)) {
      for (const child of value) if (isNode(child)) visit(child, see, node, key)
    } else if (isNode(value)) {
      visit(value, see, node, key)
    }
  }
}

function packageOf (specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

export function parseSource (path: string, text: string): Source {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`)
  const root = program as unknown as Node
  const imports: Import[] = []
  const add = (source: unknown, typeOnly: boolean, at: number): void => {
    if (!isNode(source) || typeof source.value !== 'string') return
    const specifier = source.value.split('?')[0]
    const relative = specifier.startsWith('.')
    imports.push({
      specifier,
      path: relative ? posix.normalize(posix.join(posix.dirname(path), specifier)) : undefined,
      package: relative ? undefined : packageOf(specifier),
      typeOnly,
      line: lineAt(text, at)
    })
  }
  visit(root, node => {
    switch (node.type) {
      case 'ImportDeclaration': add(node.source, node.importKind === 'type', node.start); break
      case 'ExportAllDeclaration':
      case 'ExportNamedDeclaration': add(node.source, node.exportKind === 'type', node.start); break
      case 'ImportExpression': add(node.source, false, node.start); break
      case 'TSImportType': add(node.source ?? node.argument, true, node.start); break
      // new URL('./worker.ts', import.meta.url): how a bundler is told of a worker. One that names
      // a folder is about the disk.
      case 'NewExpression': {
        const [first, second] = node.arguments as Node[]
        const base = second as (Node & { object?: Node }) | undefined
        if ((node.callee as Node).name === 'URL' && base?.type === 'MemberExpression' && base.object?.type === 'MetaProperty' && /\.\w+$/.test(String(first.value))) add(first, false, node.start)
      }
    }
  })
  return { path, text, program: root, imports }
}

export const readSource = (path: string): Source => parseSource(path, readFileSync(path, 'utf8'))

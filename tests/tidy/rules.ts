/** Rules about one file. Each gives findings; rules.test.ts shows that each can find something. */
import { lineAt, visit, type Finding, type Node, type Source } from './source.ts'

/** Exact in double arithmetic on integers below 2^53; every other Math is rounded by the platform. */
const EXACT_MATH = new Set(['abs', 'ceil', 'clz32', 'floor', 'imul', 'max', 'min', 'sign', 'trunc'])

/** The world outside a pure function, and floats. */
const IMPURE = new Set([
  'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'requestAnimationFrame',
  'fetch', 'console', 'crypto', 'indexedDB', 'localStorage', 'sessionStorage', 'navigator', 'window', 'document', 'self',
  'globalThis', 'process', 'Buffer', 'require', 'Worker', 'WebSocket', 'Promise', 'parseFloat', 'eval', 'Function',
  'Float32Array', 'Float64Array', 'Intl'
])

/** Names that are only a label here: a property, a key, a name in a type or an import. */
function isLabel (node: Node, parent: Node | undefined, field: string): boolean {
  if (parent === undefined) return false
  if (parent.type === 'MemberExpression' && field === 'property') return parent.computed !== true
  if (field === 'key') return parent.computed !== true && parent.shorthand !== true
  return /^(TS|Import|Export)/.test(parent.type) || node.type !== 'Identifier'
}

/** core and the reference kernels: integers in, integers out, the same on every machine. */
export function purityFindings (source: Source): Finding[] {
  const found: Finding[] = []
  const report = (node: Node, what: string): void => { found.push(`${source.path}:${lineAt(source.text, node.start)}: ${what}`) }
  // A parameter called window is not the window; the compiler knows no globals in core either.
  const own = new Set<string>()
  visit(source.program, (node, _parent, field) => {
    if (node.type === 'Identifier' && (field === 'id' || field === 'params' || field === 'local')) own.add(node.name as string)
  })
  visit(source.program, (node, parent, field) => {
    if (node.type === 'Identifier' && IMPURE.has(node.name as string) && !own.has(node.name as string) && !isLabel(node, parent, field)) report(node, `${node.name as string} does not belong in a pure module`)
    if (node.type === 'MemberExpression' && (node.object as Node).type === 'Identifier' && (node.object as Node).name === 'Math') {
      const name = (node.property as Node).name as string
      if (node.computed === true || !EXACT_MATH.has(name)) report(node, `Math.${name} is not exact, or not the same everywhere`)
    }
    if (node.type === 'Literal' && typeof node.value === 'number' && !Number.isSafeInteger(node.value)) report(node, `${node.raw as string} is not a safe integer`)
    if (node.type === 'Literal' && node.regex !== undefined && /\\[pP]\{/.test(node.raw as string)) report(node, `${node.raw as string} changes with the version of Unicode`)
    if (node.async === true || node.type === 'AwaitExpression') report(node, 'a pure module is synchronous')
  })
  return found
}

/** A file that only passes on what others export hides who imports whom. */
export function barrelFindings (source: Source): Finding[] {
  const body = source.program.body as readonly Node[]
  const passesOn = (node: Node): boolean => node.type === 'ExportAllDeclaration' || (node.type === 'ExportNamedDeclaration' && node.source != null)
  if (!body.some(passesOn)) return []
  return body.every(node => passesOn(node) || node.type === 'ImportDeclaration') ? [`${source.path}:1: this file only re-exports: import from where a thing is defined`] : []
}

const TEST_ROOTS = new Set(['test', 'it', 'describe', 'suite', 'bench', 'ctx', 'context', 't'])
const NOT_RUN = new Set(['only', 'skip', 'todo', 'skipIf', 'runIf', 'fails'])

/** A test that does not run, or keeps others from running. */
export function skippedTestFindings (source: Source): Finding[] {
  const found: Finding[] = []
  visit(source.program, node => {
    if (node.type !== 'MemberExpression' || node.computed === true || !NOT_RUN.has((node.property as Node).name as string)) return
    let root = node.object as Node
    while (root.type === 'MemberExpression' || root.type === 'CallExpression') root = (root.type === 'MemberExpression' ? root.object : root.callee) as Node
    if (root.type === 'Identifier' && TEST_ROOTS.has(root.name as string)) {
      found.push(`${source.path}:${lineAt(source.text, node.start)}: ${root.name as string}.${(node.property as Node).name as string}: every test runs, always`)
    }
  })
  return found
}

/** Any text that matches `pattern` (global), line by line. */
export function textFindings (path: string, text: string, pattern: RegExp, why: string): Finding[] {
  return [...text.matchAll(pattern)].map(match => `${path}:${lineAt(text, match.index)}: "${match[0].trim()}": ${why}`)
}

export function lengthFindings (path: string, text: string, max: number): Finding[] {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
  return lines > max ? [`${path}:${max}: ${lines} lines, at most ${max}: split it where its ideas part`] : []
}

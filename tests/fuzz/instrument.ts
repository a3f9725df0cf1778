/**
 * Counts which blocks of the code under test have run: every function, branch, case, loop body and
 * operand that may be left out gets a mark when its module is loaded. V8's own block coverage says
 * the same, but only by a report of all scripts that takes milliseconds; here an input that reaches
 * something new is known at once and by itself.
 * Source of the idea: AFL's and Jazzer.js's instrumentation.
 *
 * Loaded twice: by the fuzzer, which registers it, and by Node as the hooks themselves.
 */
import { register } from 'node:module'
import type { Coverage } from './engine.ts'
import { visit, type Node } from '../tidy/source.ts'

const GLOBAL = '__fuzzCoverage'
const BLOCKS_MAX = 1 << 16
/** Our own code, and the codec library's. */
const INSTRUMENTED = /\/(src|workers)\/[^?]*\.tsx?(\?|$)|\/@chainsafe\/ssz\/lib\/[^?]*\.js(\?|$)/
const LEFT_OUT = /\/src\/core\/params\.ts|kernels\.wasm\.ts/

interface Held extends Coverage { readonly mark: (block: number) => void }

/** Call before the modules under test are imported. */
export function startCoverage (): Coverage {
  const held: Held = {
    seen: new Uint8Array(BLOCKS_MAX),
    reached: 0,
    mark: block => { held.seen[block] = 1; held.reached++ }
  }
  Object.assign(globalThis, { [GLOBAL]: held })
  register(import.meta.url, import.meta.url)
  return held
}

let nextBlock = 0

/** The text of a module with a mark at the beginning of every block. */
export function instrumented (text: string, program: Node): string {
  const inserts: Array<readonly [number, string]> = []
  const test = (): string => {
    const block = nextBlock++ % BLOCKS_MAX
    return `__s[${block}]===0&&__m(${block})`
  }
  const statement = (at: number): void => { inserts.push([at, `;${test()};`]) }
  const expression = (node: Node): void => {
    inserts.push([node.start, `(${test()},`])
    inserts.push([node.end, ')'])
  }
  const body = (node: Node | null | undefined): void => {
    if (node == null) return
    if (node.type === 'BlockStatement') statement(node.start + 1)
    else {
      inserts.push([node.start, `{${test()};`])
      inserts.push([node.end, '}'])
    }
  }
  visit(program, node => {
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
        statement((node.body as Node).start + 1)
        break
      case 'ArrowFunctionExpression':
        if ((node.body as Node).type === 'BlockStatement') statement((node.body as Node).start + 1)
        else expression(node.body as Node)
        break
      case 'IfStatement':
        body(node.consequent as Node)
        if ((node.alternate as Node | null)?.type !== 'IfStatement') body(node.alternate as Node | null)
        break
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
        body(node.body as Node)
        break
      case 'SwitchCase': {
        const first = (node.consequent as readonly Node[])[0]
        if (first !== undefined) inserts.push([first.start, `${test()};`])
        break
      }
      case 'CatchClause': statement((node.body as Node).start + 1); break
      case 'ConditionalExpression':
        expression(node.consequent as Node)
        expression(node.alternate as Node)
        break
      case 'LogicalExpression': expression(node.right as Node); break
    }
  })
  // Of marks at one place the outer node's comes first where one begins, and last where one ends.
  const closes = (insert: string): boolean => insert === ')' || insert === '}'
  const order = inserts.map((insert, i) => ({ at: insert[0], text: insert[1], rank: closes(insert[1]) ? -i : i }))
  order.sort((a, b) => a.at - b.at || Number(closes(b.text)) - Number(closes(a.text)) || a.rank - b.rank)
  let out = `const {seen:__s,mark:__m}=globalThis.${GLOBAL};`
  let from = 0
  for (const { at, text: mark } of order) {
    out += text.slice(from, at) + mark
    from = at
  }
  return out + text.slice(from)
}

type NextLoad = (url: string, context: object) => Promise<{ readonly source?: string | ArrayBuffer | Uint8Array }>

/** Node's hook: what the loaders before this one have made JavaScript of. */
export async function load (url: string, context: object, nextLoad: NextLoad): Promise<object> {
  const loaded = await nextLoad(url, context)
  if (loaded.source == null || !INSTRUMENTED.test(url) || LEFT_OUT.test(url)) return loaded
  const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
  const { parseSync } = await import('vite')
  const { program, errors } = parseSync('module.js', text)
  if (errors.length > 0) throw new Error(`${url}: ${errors[0].message}`)
  return { ...loaded, source: instrumented(text, program as unknown as Node) }
}

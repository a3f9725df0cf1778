/** What every Siblings adapter must do: run on the twin in memory and on BroadcastChannel by vitest, and in real Chromium. */
import type { SiblingNews, Siblings } from '../../src/ports/siblings.ts'

export interface SiblingsCase {
  readonly name: string
  /** `open` gives one more tab of the same wallet. */
  readonly run: (open: () => Siblings) => Promise<void>
}

function same (got: unknown, want: unknown, what: string): void {
  const [a, b] = [got, want].map(v => JSON.stringify(v))
  if (a !== b) throw new Error(`expected: ${what} is ${b}, got ${a}`)
}

const pause = async (): Promise<void> => { await new Promise(resolve => { setTimeout(resolve, 50) }) }

/** What it hears from here on. */
function heard (tab: Siblings): SiblingNews[] {
  const news: SiblingNews[] = []
  tab.onNews(n => { news.push(n) })
  return news
}

export const SIBLINGS_CASES: readonly SiblingsCase[] = [
  {
    name: 'what one tab tells all the others hear, in order, and it does not hear itself',
    run: async open => {
      const tabs = [open(), open(), open()]
      const [a, b, c] = tabs.map(heard)
      const news: SiblingNews[] = [{ kind: 'opened' }, { kind: 'elsewhere', atMs: 5 }, { kind: 'backed-up' }, { kind: 'replaced' }]
      for (const n of news) tabs[0].tell(n)
      await pause()
      same([a, b, c], [[], news, news], 'what was heard')
    }
  },
  {
    name: 'that all is erased is heard by the others, too',
    run: async open => {
      const tabs = [open(), open()]
      const [a, b] = tabs.map(heard)
      tabs[0].tell({ kind: 'erased' })
      await pause()
      same([a, b], [[], [{ kind: 'erased' }]], 'what was heard')
    }
  },
  {
    name: 'a listener that is gone hears nothing, and the others of its tab do',
    run: async open => {
      const [one, other] = [open(), open()]
      let calls = 0
      const off = other.onNews(() => { calls++ })
      const news = heard(other)
      off()
      one.tell({ kind: 'backed-up' })
      await pause()
      same([news, calls], [[{ kind: 'backed-up' }], 0], 'what was heard')
    }
  }
]

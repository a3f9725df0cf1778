/** ports/Siblings on a BroadcastChannel: it reaches the tabs and workers of this origin in this browser profile, and nobody else. */
import type { SiblingNews, Siblings } from '../ports/siblings.ts'

/** Undefined for anything else: another tab may run a later version of the app. */
function newsOf (data: unknown): SiblingNews | undefined {
  if (typeof data !== 'object' || data === null || !('kind' in data)) return undefined
  switch (data.kind) {
    case 'opened':
    case 'backed-up':
    case 'replaced': return { kind: data.kind }
    case 'elsewhere': return 'atMs' in data && Number.isSafeInteger(data.atMs) ? { kind: 'elsewhere', atMs: data.atMs as number } : undefined
    default: return undefined
  }
}

/** `wallet`: what only its tabs have in common. */
export function openSiblings (wallet: string): Siblings {
  const listeners = new Set<(news: SiblingNews) => void>()
  const channel = new BroadcastChannel(`commonweight-wallet-${wallet}`)
  channel.onmessage = (e: MessageEvent<unknown>) => {
    const news = newsOf(e.data)
    if (news !== undefined) for (const l of [...listeners]) l(news)
  }
  return {
    tell: news => { channel.postMessage(news) },
    onNews: listener => {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}

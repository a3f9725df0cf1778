/** ports/Siblings on a BroadcastChannel: it reaches the tabs and workers of this origin in this browser profile, and nobody else. */
import type { SiblingNews, Siblings } from '../ports/siblings.ts'

/** Undefined for anything else: another tab may run a later version of the app. */
function newsOf (data: unknown): SiblingNews | undefined {
  if (typeof data !== 'object' || data === null || !('kind' in data)) return undefined
  switch (data.kind) {
    case 'opened':
    case 'backed-up':
    case 'replaced':
    case 'erased': return { kind: data.kind }
    case 'elsewhere': return 'atMs' in data && Number.isSafeInteger(data.atMs) ? { kind: 'elsewhere', atMs: data.atMs as number } : undefined
    default: return undefined
  }
}

/** What concerns every tab of this site: a wallet that was replaced has left the channel of the one in its place. */
const SITE = 'commonweight-site'

/** `wallet`: what only its tabs have in common. */
export function openSiblings (wallet: string): Siblings {
  const listeners = new Set<(news: SiblingNews) => void>()
  const open = (name: string, isHere: (news: SiblingNews) => boolean): BroadcastChannel => {
    const channel = new BroadcastChannel(name)
    channel.onmessage = (e: MessageEvent<unknown>) => {
      const news = newsOf(e.data)
      if (news !== undefined && isHere(news)) for (const l of [...listeners]) l(news)
    }
    return channel
  }
  const isOfSite = (news: SiblingNews): boolean => news.kind === 'erased'
  const own = open(`commonweight-wallet-${wallet}`, news => !isOfSite(news))
  const site = open(SITE, isOfSite)
  return {
    tell: news => { (isOfSite(news) ? site : own).postMessage(news) },
    onNews: listener => {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}

/** Tells every tab of this site that all is being erased, from a page whose node has stopped. */
export function tellErased (): void {
  const channel = new BroadcastChannel(SITE)
  channel.postMessage({ kind: 'erased' } satisfies SiblingNews)
  channel.close()
}

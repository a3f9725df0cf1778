/**
 * What the tabs of one wallet tell one another at once. What none of them may miss is on disk (ports/purse.ts,
 * ports/keystore.ts): this reaches only those that are open.
 */
export type SiblingNews =
  /** The tab is here now: who knows something that holds still says it again. */
  | { readonly kind: 'opened' }
  /** A backup of the key has left the page. */
  | { readonly kind: 'backed-up' }
  /** Another key was put in the place of this one. */
  | { readonly kind: 'replaced' }
  /** All that this site keeps in this browser is being erased: told to the tabs of every wallet and network. */
  | { readonly kind: 'erased' }
  /** The wallet was seen at work on another device, or in another browser, Unix time in ms. */
  | { readonly kind: 'elsewhere', readonly atMs: number }

export interface Siblings {
  /** To the other tabs, and not to this one. What they cannot be told is lost without a word. */
  tell(news: SiblingNews): void
  onNews(listener: (news: SiblingNews) => void): () => void
}

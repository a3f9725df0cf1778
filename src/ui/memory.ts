/** Small settings of the page itself. A browser may deny storage: then they last as long as the page. */
const fallback = new Map<string, string>()

/** Left by the page that erased everything, for the one that begins anew. */
export const ERASED = 'erased'

/** Set once a person has replayed a block here. */
export const REPLAYED = 'replayed'

const area = (where: 'local' | 'session'): Storage => where === 'local' ? window.localStorage : window.sessionStorage

export function recall (where: 'local' | 'session', key: string): string | undefined {
  try {
    return area(where).getItem(`commonweight.${key}`) ?? undefined
  } catch { return fallback.get(key) }
}

export function remember (where: 'local' | 'session', key: string, value: string): void {
  try { area(where).setItem(`commonweight.${key}`, value) } catch { fallback.set(key, value) }
}

/** Called when another tab of this site has changed what is remembered there under this key. */
export function whenRemembered (key: string, listener: () => void): () => void {
  const onStorage = (e: StorageEvent): void => { if (e.key === `commonweight.${key}`) listener() }
  window.addEventListener('storage', onStorage)
  return () => { window.removeEventListener('storage', onStorage) }
}

export function forget (where: 'local' | 'session', key: string): void {
  fallback.delete(key)
  try { area(where).removeItem(`commonweight.${key}`) } catch { /* it was only in this page */ }
}

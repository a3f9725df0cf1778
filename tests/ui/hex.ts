/** Ids for scripted things. */
/** 64 hex digits that look random and depend on the text alone (FNV-1a, iterated). */
export function hex (text: string, length = 64): string {
  let h = 0x811c9dc5
  let out = ''
  for (let i = 0; out.length < length; i++) {
    for (const c of `${text}/${i}`) h = Math.imul(h ^ c.charCodeAt(0), 0x01000193) >>> 0
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) >>> 0
    h = (h ^ (h >>> 13)) >>> 0
    out += h.toString(16).padStart(8, '0')
  }
  return out.slice(0, length)
}

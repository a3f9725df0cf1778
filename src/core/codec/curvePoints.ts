/** A learning curve of bounded length, the same for the node that keeps it and the page that draws it. */

/** Of more than `most` points every second one of the older half goes: the shape of a long run stays, and the newest points. */
export function thinned<P extends { readonly gap?: boolean }> (points: readonly P[], most: number): P[] {
  if (points.length <= most) return [...points]
  const half = points.length >> 1
  const kept: P[] = []
  let gap = false
  for (const [i, p] of points.entries()) {
    gap ||= p.gap === true
    if (i < half && i % 2 === 1) continue
    // A gap before a point that went is one before the next that stayed.
    kept.push(gap && p.gap !== true ? { ...p, gap } : p)
    gap = false
  }
  return kept
}

/** What selfish mining can earn, by formula and by playing the abstract game. Shares of the main chain's blocks. */
import { Seeded } from '../seeded.ts'

/** Eyal and Sirer 2013, equation 8: with share `a` of the work, and `g` of the others' on the pool's side of a tie. */
export function eyalSirer (a: number, g: number): number {
  const of = a * (1 - a) ** 2 * (4 * a + g * (1 - 2 * a)) - a ** 3
  return of / (1 - a * (1 + (2 - a) * a))
}

/**
 * The game under the rule that the lower ticket wins a tie. The pool keeps back a block found at no
 * lead if its ticket is in the lowest `threshold` of those that win, and goes on on its own block
 * after a lost tie if `stubborn`.
 */
export function playTickets (a: number, threshold: number, stubborn: boolean, blocks: number, seed = 'theory'): number {
  const random = new Seeded(seed, `${a}/${threshold}/${stubborn}`)
  let pool = 0
  let others = 0
  while (pool + others < blocks) {
    if (random.uniform() >= a) { others++; continue }
    const ticket = random.uniform()
    if (ticket >= threshold) { pool++; continue }
    if (random.uniform() < a) {
      // Two ahead: all of it counts once the lead has shrunk to one.
      let length = 2
      for (let lead = 2; lead > 1;) {
        if (random.uniform() < a) { lead++; length++ } else lead--
      }
      pool += length
      continue
    }
    const wins = ticket < random.uniform()
    if (wins) {
      // Everybody is on the pool's block; whoever is next builds on it.
      pool++
      if (random.uniform() < a) pool++
      else others++
    } else if (!stubborn) others++
    else if (random.uniform() < a) pool += 2
    else others += 2
  }
  return pool / (pool + others)
}

export interface Best { readonly threshold: number, readonly stubborn: boolean, readonly share: number }

/** The best of these strategies, the threshold to a twentieth, and what it earns. Threshold 0 is honest mining. */
export function bestByTicket (a: number, blocks = 400_000): Best {
  let best: Best = { threshold: 0, stubborn: false, share: a }
  for (let t = 1; t <= 20; t++) {
    for (const stubborn of [false, true]) {
      const share = playTickets(a, t / 20, stubborn, blocks)
      if (share > best.share) best = { threshold: t / 20, stubborn, share }
    }
  }
  return best
}

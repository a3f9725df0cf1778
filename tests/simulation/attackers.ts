/** The enemies that a world of the soak may have: those that need no more of it than a tab of their own. */
import type { Squad } from './enemies/squad.ts'
import { ENEMIES, type EnemyName } from './enemies/table.ts'

/** Of which a world draws some. By place in this list: another order is another world for every seed. */
export const DRAWN = [
  'free-riding', 'lazy', 'nothing-at-stake', 'selfish', 'times-ahead', 'times-behind', 'withhold-blocks', 'withhold-payloads',
  'shortcut-steps', 'shortcut-noise', 'shortcut-cache', 'shortcut-none', 'poisoned', 'times-beyond'
] as const satisfies readonly EnemyName[]

/** In a world only if they are asked for. Colluders with more than a third of the seats can hold a round up for as long as they like, which "progress" reports (docs/security.md, 4). */
const ASKED_FOR = ['collusion'] as const satisfies readonly EnemyName[]

export const ATTACKERS: Readonly<Record<string, () => Squad>> = Object.fromEntries([...DRAWN, ...ASKED_FOR].map(name => [name, ENEMIES[name].make]))

/** The enemies that a world of the soak may have: those that need no more of it than a tab of their own. */
import type { Squad } from './enemies/squad.ts'
import { ENEMIES, type EnemyName } from './enemies/table.ts'

/** Of which a world draws some. By place in this list: another order is another world for every seed. */
export const DRAWN = [
  'free-riding', 'lazy', 'nothing-at-stake', 'selfish', 'times-ahead', 'times-behind', 'withhold-blocks', 'withhold-payloads',
  'shortcut-steps', 'shortcut-noise', 'shortcut-cache', 'shortcut-none', 'poisoned', 'times-beyond', 'collusion'
] as const satisfies readonly EnemyName[]

export const ATTACKERS: Readonly<Record<string, () => Squad>> = Object.fromEntries(DRAWN.map(name => [name, ENEMIES[name].make]))

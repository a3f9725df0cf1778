/** The enemies that a world of many tabs may have. */
import type { Squad } from './enemies/squad.ts'
import { ENEMIES, type EnemyKind, type EnemyName } from './enemies/table.ts'

/** Of which a world draws some. By place in this list: another order is another world for every seed. */
export const DRAWN = [
  'free-riding', 'lazy', 'nothing-at-stake', 'selfish', 'times-ahead', 'times-behind', 'withhold-blocks', 'withhold-payloads',
  'shortcut-steps', 'shortcut-noise', 'shortcut-cache', 'shortcut-none', 'poisoned', 'times-beyond', 'collusion',
  'equivocation', 'spam', 'credit', 'self-pay', 'selfish-ticket', 'sybil', 'eclipse', 'long-range'
] as const satisfies readonly EnemyName[]

/** All of them, drawn or not. */
export const ATTACKERS: Readonly<Record<string, () => Squad>> = Object.fromEntries(Object.entries<EnemyKind>(ENEMIES).map(([name, { make, small }]) => [name, small ?? make]))

/** The enemies that a world of the soak may have, by name. */
import { freeRiding } from './enemies/freeRiding.ts'
import { lazy } from './enemies/lazy.ts'
import { nothingAtStake } from './enemies/nothingAtStake.ts'
import { SHORTCUTS, shortcuts } from './enemies/shortcuts.ts'
import type { Squad } from './enemies/squad.ts'
import { timestamps } from './enemies/timestamps.ts'
import { withholdPayloads } from './enemies/withholdPayloads.ts'

export const ATTACKERS: Readonly<Record<string, () => Squad>> = {
  'free riding': freeRiding,
  'lazy verification': lazy,
  'nothing at stake': nothingAtStake,
  'timestamps ahead': () => timestamps('ahead'),
  'timestamps behind': () => timestamps('behind'),
  'withheld payloads': withholdPayloads,
  ...Object.fromEntries(SHORTCUTS.map(shortcut => [`shortcut: ${shortcut}`, () => shortcuts(shortcut)] as const))
}

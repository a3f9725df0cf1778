/**
 * A sample of the soak, other seeds at every run: small worlds with everything that can go wrong, and one as
 * large as a soak's with attackers in it, then healed. A failure names the command that repeats it.
 */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { DRAWN } from './attackers.ts'
import { drawOptions } from './options.ts'
import { runWorld } from './phases.ts'

const WORLDS = [
  { nodes: 8, hours: 0.03 },
  { nodes: 8, hours: 0.03 },
  { nodes: 30, hours: 0.06, attackers: 0.3 }
]

describe('worlds drawn from a random seed', () => {
  for (const { attackers, hours, nodes } of WORLDS) {
    const seed = `test-${randomBytes(5).toString('hex')}`
    it(`${seed}, ${nodes} nodes: no checker fires, and all agree once everything is healed`, { timeout: 600_000 }, async () => {
      const command = `npm run sim -- --seed ${seed} --nodes ${nodes} --hours ${hours}${attackers === undefined ? '' : ` --attackers ${attackers}`}`
      const report = await runWorld(drawOptions({ seed, nodes, hours, attackerShare: attackers, enemies: DRAWN }), { command, scenario: 'faults' })
      expect(report.violations, command).toEqual([])
      expect(report.agreedAtMs, command).toBeGreaterThan(0)
      expect(report.blocksMain, command).toBeGreaterThan(0)
    })
  }
})

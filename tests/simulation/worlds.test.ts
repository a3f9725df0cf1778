/**
 * A sample of the soak, other seeds at every run: small worlds with everything that can go wrong, then
 * healed. A failure names the command that repeats it.
 */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { DRAWN } from './attackers.ts'
import { drawOptions } from './options.ts'
import { runWorld } from './phases.ts'

const NODES = 8
const HOURS = 0.03
const WORLDS = 2

describe('worlds drawn from a random seed', () => {
  for (let i = 0; i < WORLDS; i++) {
    const seed = `test-${randomBytes(5).toString('hex')}`
    it(`${seed}: no checker fires, and all agree once everything is healed`, { timeout: 300_000 }, async () => {
      const command = `npm run sim -- --seed ${seed} --nodes ${NODES} --hours ${HOURS}`
      const report = await runWorld(drawOptions({ seed, nodes: NODES, hours: HOURS, enemies: DRAWN }), { command, scenario: 'faults' })
      expect(report.violations, command).toEqual([])
      expect(report.agreedAtMs, command).toBeGreaterThan(0)
      expect(report.blocksMain, command).toBeGreaterThan(0)
    })
  }
})

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

// Half an hour of short blocks: with fewer there is no ledger to join by.
it('a world whose chains are cut, and whose emptied tabs join by the ledger of one of them', { timeout: 600_000 }, async () => {
  const seed = `long-${randomBytes(5).toString('hex')}`
  const [nodes, hours, set] = [10, 0.5, { network: 'fast', history: 'short', compute: 'stand-in', loss: '0.01', wipeEveryMs: '300000' }]
  const command = `npm run sim -- --seed ${seed} --nodes ${nodes} --hours ${hours} --attackers 0 --set ${Object.entries(set).map(([name, value]) => `${name}=${value}`).join(',')}`
  const report = await runWorld(drawOptions({ seed, nodes, hours, enemies: [], set }), { command, scenario: 'faults' })
  expect(report.violations, command).toEqual([])
  expect(report.counts!['tabs whose chain was cut'], command).toBeGreaterThan(2)
  expect(report.counts!['tabs whose chain was joined by a ledger'], command).toBeGreaterThan(0)
})

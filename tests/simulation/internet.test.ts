/** Who can be linked to whom, and that nobody is left without a partner. */
import { expect, it } from 'vitest'
import { canLink, drawLine, Internet, type Line, type Nat, Topology } from './internet.ts'
import { Scheduler } from './scheduler.ts'
import { Seeded } from './seeded.ts'

const NATS: readonly Nat[] = ['open', 'cone', 'symmetric']

it('each class of router has a rule of its own, and it is the same from both ends', () => {
  const table = NATS.map(a => NATS.map(b => canLink({ nat: a }, { nat: b })))
  expect(table).toEqual([[true, true, true], [true, true, false], [true, false, false]])
  expect(new Set(table.map(String)).size).toBe(NATS.length)
})

it('in worlds of any size all become one mesh, and no link is between two that cannot have one', async () => {
  for (const nodes of [4, 8, 30]) {
    for (let world = 0; world < 5; world++) {
      const root = new Seeded(`nat ${nodes} ${world}`)
      const clock = new Scheduler(0)
      const internet = new Internet(clock, root.stream('internet'))
      const topology = new Topology(internet, clock, root.stream('topology'))
      const lines = new Map<string, Line>()
      for (let i = 0; i < nodes; i++) {
        const line = drawLine(root.stream(`line ${i}`), i)
        lines.set(`n${i}`, line)
        internet.plug(`n${i}`, line)
        internet.hub.join(`n${i}`)
        topology.add(`n${i}`, line)
      }
      await clock.runUntil(120_000)
      const met = new Set(['n0'])
      for (const id of met) {
        for (const other of internet.hub.links(id)) {
          expect(canLink(lines.get(id)!, lines.get(other)!), `${lines.get(id)!.nat} and ${lines.get(other)!.nat}`).toBe(true)
          met.add(other)
        }
      }
      expect(met.size, `${nodes} tabs, world ${world}`).toBe(nodes)
    }
  }
})

/** Who has a record, against a look at every block of the window. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { u32le } from '../../src/core/crypto/hash.ts'
import type { BlockMeta } from '../../src/core/consensus/chain.ts'
import type { BlockRecord } from '../../src/node/parts.ts'
import { Records } from '../../src/node/records.ts'

const MINERS = 6
const WINDOW = 4
const key = (n: number): Uint8Array => { const k = new Uint8Array(32); k.set(u32le(n)); return k }

interface Made { readonly meta: BlockMeta, readonly body: { readonly seals: ReadonlyArray<{ readonly seal: { readonly contributions: ReadonlyArray<{ readonly template: { readonly miner: Uint8Array } }> } }> }, here: boolean, told: boolean }

const step = fc.record({ back: fc.nat({ max: 5 }), maker: fc.nat({ max: MINERS - 1 }), sealed: fc.array(fc.nat({ max: MINERS - 1 }), { maxLength: 2 }), here: fc.integer({ min: 0, max: 9 }), told: fc.boolean(), asked: fc.array(fc.nat({ max: 7 }), { maxLength: 4 }), comes: fc.option(fc.nat({ max: 7 })) })

test('says what every block of the window says, on any branch, whether or not its bodies are here and redone, and once they are', () => {
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), steps => {
    const genesis: Made = { meta: { hash: key(1000), height: 0, header: { template: { miner: key(99) } } } as unknown as BlockMeta, body: { seals: [] }, here: true, told: false }
    const all = [genesis]
    const records = new Records({ minerCountBlocks: WINDOW }, { get: hash => { const m = all.find(x => x.meta.hash === hash); return m?.here === true ? { meta: m.meta, body: m.body, checked: m.told ? 'ledger' : 'replayed' } as unknown as BlockRecord : undefined } })
    const windowOf = (meta: BlockMeta): Made[] => {
      const out: Made[] = []
      for (let m: BlockMeta | undefined = meta; m !== undefined && m.height > 0 && out.length < WINDOW; m = m.parent) out.push(all.find(x => x.meta === m)!)
      return out
    }
    for (const s of steps) {
      const parent = all[Math.max(0, all.length - 1 - s.back)].meta
      const meta = { hash: key(1001 + all.length), height: parent.height + 1, parent, header: { template: { miner: key(s.maker) } } } as unknown as BlockMeta
      all.push({ meta, body: { seals: [{ seal: { contributions: s.sealed.map(n => ({ template: { miner: key(n) } })) } }] }, here: s.here > 0, told: s.told && s.here > 6 })
      // And what was on trust is redone.
      if (s.comes !== null) Object.assign(all[Math.max(0, all.length - 1 - s.comes)], { here: true, told: false })
      for (const back of s.asked) {
        const about = all[Math.max(0, all.length - 1 - back)].meta
        const window = windowOf(about)
        for (let n = 0; n < MINERS; n++) {
          const sealed = (of: Made[]): boolean => of.some(b => b.here && b.body.seals.some(x => x.seal.contributions.some(c => c.template.miner[0] === n)))
          const redone = window.filter(b => !(b.here && b.told))
          const made = redone.some(b => b.meta.header.template.miner[0] === n)
          expect(records.has(about, key(n))).toBe(sealed(window))
          expect(records.standing(about, key(n))).toBe(made || sealed(redone) ? true : window.every(b => b.here && !b.told) ? false : undefined)
        }
      }
    }
  }), { numRuns: 200 })
})

/** What every Purse adapter must do: run on the twin in memory by vitest, and on the browser's in real Chromium. */
import type { Purse } from '../../src/ports/purse.ts'

export interface PurseCase {
  readonly name: string
  /** `open` gives the purse of one more tab of the same profile. */
  readonly run: (open: () => Purse) => Promise<void>
}

function same (got: unknown, want: unknown, what: string): void {
  const [a, b] = [got, want].map(v => JSON.stringify(v instanceof Uint8Array ? [...v] : v) ?? 'nothing')
  if (a !== b) throw new Error(`expected: ${what} is ${b}, got ${a}`)
}

/** Everything that is no timer has had its turn, and the disk some time. */
const pause = async (): Promise<void> => { await new Promise(resolve => { setTimeout(resolve, 20) }) }

export const PURSE_CASES: readonly PurseCase[] = [
  {
    name: 'what one tab leaves is what the others find, whole',
    run: async open => {
      const [a, b] = [open(), open()]
      same(await a.read(), undefined, 'a purse that nobody has used')
      await a.inTurn(async () => { await a.write(Uint8Array.of(1, 2)) })
      same(await b.read(), Uint8Array.of(1, 2), 'what the other tab left')
      await b.inTurn(async () => { await b.write(Uint8Array.of(3)) })
      same(await a.read(), Uint8Array.of(3), 'what it left later')
    }
  },
  {
    name: 'one tab has its turn at a time, and what it read stands until it has written',
    run: async open => {
      const tabs = [open(), open(), open()]
      const count = async (purse: Purse): Promise<void> => {
        const n = (await purse.read())?.[0] ?? 0
        await pause()
        await purse.write(Uint8Array.of(n + 1))
      }
      const turns = await Promise.all([...tabs, ...tabs].map(async purse => await purse.inTurn(async () => { await count(purse); return 'done' })))
      same(turns, turns.map(() => ({ value: 'done' })), 'what a turn gives')
      same(await tabs[0].read(), Uint8Array.of(6), 'the count')
    }
  },
  {
    name: 'a turn that fails is over, and says why',
    run: async open => {
      const [a, b] = [open(), open()]
      let why: unknown
      try { await a.inTurn(async () => { throw new Error('the work failed') }) } catch (e) { why = e }
      same(why instanceof Error && why.message, 'the work failed', 'the failure')
      same(await b.inTurn(async () => 7), { value: 7 }, 'the next turn')
    }
  },
  {
    name: 'bytes are kept as they were when they were written',
    run: async open => {
      const purse = open()
      const bytes = Uint8Array.of(1, 2)
      await purse.inTurn(async () => { await purse.write(bytes) })
      bytes[0] = 9
      const read = await purse.read()
      same(read, Uint8Array.of(1, 2), 'what was written')
      if (read !== undefined) read[0] = 9
      same(await purse.read(), Uint8Array.of(1, 2), 'what is read again')
    }
  }
]

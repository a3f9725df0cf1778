/**
 * What every Storage adapter must do, as cases that need no test runner, because they run in two
 * places: under vitest on the twin in memory, and inside a page of real Chromium on IndexedDB.
 */
import { STORES, StorageError, type RangeQuery, type Storage, type StorageFailure, type StorageOp } from '../../src/ports/storage.ts'

/** A database that is made empty for one case, and can be opened more than once. */
export interface Bench {
  open(): Promise<Storage>
  /** Bytes beyond what is used now that may still be written; undefined lifts the limit. */
  limit(bytes: number | undefined): Promise<void>
}

export interface StorageCase {
  readonly name: string
  readonly run: (bench: Bench) => Promise<void>
}

function check (ok: boolean, what: string): asserts ok {
  if (!ok) throw new Error(`expected: ${what}`)
}

const show = (value: unknown): string => JSON.stringify(value, (_key, v: unknown) => v instanceof Uint8Array ? `bytes(${v.length}) ${[...v.subarray(0, 16)].join(',')}` : v)

function same (got: unknown, want: unknown, what: string): void {
  check(show(got) === show(want), `${what} is ${show(want)}, got ${show(got)}`)
}

async function fails (promise: Promise<unknown>, kind: StorageFailure): Promise<void> {
  try {
    await promise
  } catch (error) {
    check(error instanceof StorageError, `a StorageError, got ${String(error)}`)
    same(error.kind, kind, 'the kind of failure')
    return
  }
  throw new Error(`expected: a StorageError of kind ${kind}, nothing was thrown`)
}

/** Our own mistakes are thrown as such, never as a failure of the disk. */
async function refuses (call: () => Promise<unknown>, what: string): Promise<void> {
  try {
    await call()
  } catch (error) {
    check(!(error instanceof StorageError), `${what} is thrown as our own mistake, got ${String(error)}`)
    return
  }
  throw new Error(`expected: ${what} is refused`)
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const put = (key: string, value: Uint8Array, store: StorageOp['store'] = 'meta'): StorageOp => ({ op: 'put', store, key, value })
const del = (key: string, store: StorageOp['store'] = 'meta'): StorageOp => ({ op: 'delete', store, key })

/** Bytes that do not compress: a browser counts what reaches its disk. */
function noise (length: number): Uint8Array {
  const out = new Uint8Array(length)
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    out[i] = state >>> 24
  }
  return out
}

/** Keys whose order differs between code units, code points, locale and length. */
const KEYS = ['', '\u0000', '0', '10', '2', 'A', 'Z', 'a', 'aa', 'b', 'z', '\u00e4', '\u0101', '\u4e00', '\ud83d\ude00', '\ufffd']

/** The definition of a query, on a sorted list. */
function expected (query: RangeQuery): string[] {
  const inside = KEYS.filter(key => (query.from === undefined || key >= query.from) && (query.to === undefined || key < query.to))
  if (query.reverse === true) inside.reverse()
  return inside.slice(0, query.limit)
}

export const STORAGE_CASES: readonly StorageCase[] = [
  {
    name: 'a key that was never put is undefined, in every store',
    run: async bench => {
      const storage = await bench.open()
      for (const store of STORES) {
        same(await storage.get(store, 'absent'), undefined, `${store}/absent`)
        same(await storage.keys(store), [], `keys of ${store}`)
        same(await storage.range(store), [], `range of ${store}`)
      }
    }
  },
  {
    name: 'every store gives back its own bytes, the empty value and the empty key too',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit(STORES.map((store, i) => put('key', bytes(i, 255 - i), store)))
      await storage.commit([put('empty', bytes()), put('', bytes(7))])
      for (const [i, store] of STORES.entries()) same(await storage.get(store, 'key'), bytes(i, 255 - i), `${store}/key`)
      const empty = await storage.get('meta', 'empty')
      check(empty instanceof Uint8Array && empty.length === 0, 'an empty value is zero bytes, not undefined')
      same(await storage.get('meta', ''), bytes(7), 'the value of the empty key')
    }
  },
  {
    name: 'bytes are copied in and out',
    run: async bench => {
      const storage = await bench.open()
      const value = bytes(1, 2, 3)
      const pending = storage.commit([put('key', value)])
      value[0] = 9
      await pending
      const first = await storage.get('meta', 'key')
      same(first, bytes(1, 2, 3), 'the value as it was when commit was called')
      first![1] = 9
      same(await storage.get('meta', 'key'), bytes(1, 2, 3), 'the value after a reader wrote into its copy')
      const [[, ranged]] = await storage.range('meta')
      ranged[2] = 9
      same(await storage.get('meta', 'key'), bytes(1, 2, 3), 'the value after a range reader wrote into its copy')
    }
  },
  {
    name: 'a short view into a long buffer is stored short',
    run: async bench => {
      const storage = await bench.open()
      const long = new Uint8Array(1 << 20).fill(5)
      await storage.commit([put('view', long.subarray(1000, 1003))])
      const value = await storage.get('meta', 'view')
      same(value, bytes(5, 5, 5), 'the view')
      same(value!.buffer.byteLength, 3, 'the length of the buffer behind it')
    }
  },
  {
    name: 'put replaces, delete removes, deleting what is absent is no error',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit([put('a', bytes(1)), put('b', bytes(2))])
      await storage.commit([put('a', bytes(3, 3)), del('b'), del('never')])
      same(await storage.range('meta'), [['a', bytes(3, 3)]], 'the store')
    }
  },
  {
    name: 'ops of one commit act in order: the last one on a key wins',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit([put('a', bytes(1)), put('a', bytes(2)), put('b', bytes(1)), del('b'), del('c'), put('c', bytes(3))])
      same(await storage.range('meta'), [['a', bytes(2)], ['c', bytes(3)]], 'the store')
    }
  },
  {
    name: 'an empty commit changes nothing',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit([])
      same(await storage.keys('meta'), [], 'the store')
    }
  },
  {
    name: 'range and keys follow the order of UTF-16 code units, bounds, limit and direction',
    run: async bench => {
      const storage = await bench.open()
      // Written backwards, and beside another store whose keys must not show.
      await storage.commit([...KEYS].reverse().map((key, i) => put(key, bytes(i))))
      await storage.commit([put('m', bytes(1), 'history')])
      const bounds = [undefined, '', '0', '2', 'A', 'a', 'ab', '\u4e00', '\ud83d\ude00', '\uffff']
      for (const from of bounds) {
        for (const to of bounds) {
          for (const limit of [undefined, 0, 1, 3, 100]) {
            for (const reverse of [false, true]) {
              const query = { from, to, limit, reverse }
              const want = expected(query)
              same(await storage.keys('meta', query), want, `keys ${show(query)}`)
              if (from !== undefined && to !== undefined && limit === 100) continue
              const rows = await storage.range('meta', query)
              same(rows.map(row => row[0]), want, `range ${show(query)}`)
              same(rows.map(row => row[1][0]), want.map(key => KEYS.length - 1 - KEYS.indexOf(key)), `values of ${show(query)}`)
            }
          }
        }
      }
    }
  },
  {
    name: 'a limit that is not a count, an unknown store and a value that is not bytes are our own mistakes',
    run: async bench => {
      const storage = await bench.open()
      await refuses(() => storage.keys('meta', { limit: -1 }), 'a negative limit')
      await refuses(() => storage.range('meta', { limit: 1.5 }), 'half a limit')
      await refuses(() => storage.get('nowhere' as 'meta', 'a'), 'an unknown store')
      await refuses(() => storage.commit([put('a', bytes(1)), put('b', 'text' as unknown as Uint8Array)]), 'a text value')
      await refuses(() => storage.commit([put('a', bytes(1)), put('b', bytes(1), 'nowhere' as 'meta')]), 'a put into an unknown store')
      await refuses(() => storage.commit([put('a', bytes(1)), { op: 'put', store: 'meta', key: 'b', get value (): Uint8Array { throw new Error('broken') } }]), 'a broken op')
      same(await storage.keys('meta'), [], 'nothing of a refused commit is there')
    }
  },
  {
    name: 'operations take effect in the order of the calls, also when none is awaited',
    run: async bench => {
      const storage = await bench.open()
      const done: Array<Promise<unknown>> = []
      const seen: Array<Promise<Uint8Array | undefined>> = []
      for (let i = 0; i < 20; i++) {
        done.push(storage.commit([put('counter', bytes(i)), put(`row${String(i).padStart(2, '0')}`, bytes(i), 'history')]))
        seen.push(storage.get('meta', 'counter'))
      }
      await Promise.all(done)
      same((await Promise.all(seen)).map(value => value?.[0]), Array.from({ length: 20 }, (_, i) => i), 'what each reader saw')
      same((await storage.keys('history')).length, 20, 'rows')
    }
  },
  {
    name: 'a large commit and a large value are one commit like any other',
    run: async bench => {
      const storage = await bench.open()
      const large = Uint8Array.from({ length: 4 << 20 }, (_, i) => (i * 31) & 255)
      await storage.commit([put('large', large, 'states'), ...Array.from({ length: 2000 }, (_, i) => put(String(i).padStart(6, '0'), new Uint8Array(100).fill(i & 255), 'headers'))])
      const back = await storage.get('states', 'large')
      check(back !== undefined && back.length === large.length && back.every((byte, i) => byte === large[i]), 'the large value comes back whole')
      const rows = await storage.range('headers', { from: '000500', to: '001500' })
      same(rows.length, 1000, 'rows in the middle')
      check(rows.every(([key, value]) => value.length === 100 && value[0] === (Number(key) & 255)), 'each row is its own')
    }
  },
  {
    name: 'what was committed is there after closing and opening again',
    run: async bench => {
      const first = await bench.open()
      await first.commit([put('a', bytes(1)), put('b', bytes(2), 'pool')])
      await first.close()
      const second = await bench.open()
      same(await second.get('meta', 'a'), bytes(1), 'meta/a')
      same(await second.get('pool', 'b'), bytes(2), 'pool/b')
    }
  },
  {
    name: 'after close everything fails with gone, and closing again is no error',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit([put('a', bytes(1))])
      await storage.close()
      await storage.close()
      await fails(storage.get('meta', 'a'), 'gone')
      await fails(storage.range('meta'), 'gone')
      await fails(storage.keys('meta'), 'gone')
      await fails(storage.commit([put('a', bytes(2))]), 'gone')
      await fails(storage.usage(), 'gone')
    }
  },
  {
    name: 'a full disk refuses the whole commit, keeps what was there, and works again once there is room',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit([put('kept', bytes(1))])
      await bench.limit(1 << 20)
      const block = noise(4 << 20)
      const tooMuch = [put('kept', bytes(2)), put('first', bytes(1), 'history'), ...[0, 1, 2, 3].map(i => put(`block${i}`, block, 'data'))]
      await fails(storage.commit(tooMuch), 'full')
      same(await storage.get('meta', 'kept'), bytes(1), 'the old value')
      same(await storage.keys('history'), [], 'the small op before the large ones')
      same(await storage.keys('data'), [], 'the large ops')
      await bench.limit(undefined)
      await storage.commit(tooMuch)
      same(await storage.get('meta', 'kept'), bytes(2), 'the new value')
      same(await storage.keys('data'), ['block0', 'block1', 'block2', 'block3'], 'the large ops, with room')
    }
  },
  {
    name: 'usage tells bytes in use',
    run: async bench => {
      const storage = await bench.open()
      await storage.commit([put('a', new Uint8Array(100_000).fill(3))])
      const usage = await storage.usage()
      check(Number.isInteger(usage.used) && usage.used > 0, `used is a positive count of bytes, got ${usage.used}`)
      check(usage.quota === undefined || usage.quota >= usage.used, `the quota holds what is used, got ${usage.quota}`)
      check(typeof usage.persisted === 'boolean', 'persisted is known')
    }
  }
]

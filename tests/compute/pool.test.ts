/** The pool against workers that the test holds in its hand, and once against real threads. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Opened, Reply, Request, WorkerLike } from '../../src/compute/messages.ts'
import { spawnNodeWorker } from '../../src/compute/nodeWorkers.ts'
import { BACKGROUND_WAIT_MS, createComputePool, type PoolOptions, REST_MAX_MS } from '../../src/compute/pool.ts'
import { referenceKernels } from '../../src/compute/reference/referenceKernels.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Compute, Priority, SliceResult } from '../../src/ports/compute.ts'
import { hashOf, task } from './tasks.ts'

class FakeWorker implements WorkerLike {
  readonly requests: Request[] = []
  terminated = false
  #onReply: (reply: Reply) => void = () => {}
  #onCrash: (reason: string) => void = () => {}

  post (request: Request): void { this.requests.push(request) }
  listen (onReply: (reply: Reply) => void, onCrash: (reason: string) => void): void { this.#onReply = onReply; this.#onCrash = onCrash }
  terminate (): void { this.terminated = true }

  open (value: Partial<Opened> = {}): void { this.#onReply({ kind: 'open', value: { backend: 'wasm', reports: [], ...value } }) }
  crash (reason = 'out of memory'): void { this.#onCrash(reason) }
  fail (error: string): void { this.#onReply({ kind: 'error', error }) }
  /** lr20 of the slice it was last given: the tests tell tasks apart by it. */
  get working (): number | undefined {
    const last = this.requests[this.requests.length - 1]
    return last.kind === 'slice' ? last.task.lr20 : undefined
  }

  lose (error: string): void { this.#onReply({ kind: 'lost', error }) }
  tell (value: Partial<Opened>): void { this.#onReply({ kind: 'news', value: { backend: 'wasm', reports: [], ...value } }) }
  finish (): void {
    const last = this.requests[this.requests.length - 1]
    if (last.kind !== 'slice') throw new Error('not working on a slice')
    const value: SliceResult = { stateHash: new Uint8Array(32), state: last.task.state, payload: new Uint8Array(1), payloadDigest: new Uint8Array(32), macs: 5000, elapsedMs: 100 }
    this.#onReply({ kind: 'slice', value })
  }
}

class FakeClock implements Clock {
  #now = 0
  #timers: Array<{ at: number, fn: () => void }> = []
  now (): number { return this.#now }
  after (ms: number, fn: () => void): () => void {
    // Whole milliseconds, as a browser counts them.
    const timer = { at: this.#now + Math.trunc(ms), fn }
    this.#timers.push(timer)
    return () => { this.#timers = this.#timers.filter(t => t !== timer) }
  }

  pass (ms: number): void {
    this.#now += ms
    const due = this.#timers.filter(t => t.at <= this.#now)
    this.#timers = this.#timers.filter(t => t.at > this.#now)
    for (const { fn } of due) fn()
  }

  get timers (): number { return this.#timers.length }
}

const slice = (lr20: number): ReturnType<typeof task> => task([3, 2], 16, 10, { lr20 })

interface Rig { readonly pool: Compute, readonly workers: FakeWorker[], readonly clock: FakeClock, readonly run: (lr20: number, priority?: Priority) => Promise<string> }

async function rig (options: Partial<PoolOptions> = {}): Promise<Rig> {
  const workers: FakeWorker[] = []
  const clock = new FakeClock()
  const pool = await createComputePool({
    spawn: () => { const w = new FakeWorker(); workers.push(w); return w },
    backend: 'wasm', workersMax: 3, workers: 1, duty: 1, clock, ...options
  })
  const run = async (lr20: number, priority: Priority = 'slice'): Promise<string> =>
    await pool.runSlice(slice(lr20), priority).then(() => `${lr20} done`, (e: Error) => e.message)
  return { pool, workers, clock, run }
}

const settle = async (): Promise<void> => { for (let i = 0; i < 10; i++) await Promise.resolve() }

describe('order', () => {
  test('nothing is sent before the worker has opened its backend', async () => {
    const { workers, run } = await rig()
    void run(1)
    await settle()
    expect(workers[0].requests).toEqual([{ kind: 'open', backend: 'wasm' }])
    workers[0].open()
    expect(workers[0].working).toBe(1)
  })

  test('replays go before slices, slices before background, each in the order asked', async () => {
    const { workers, run } = await rig()
    workers[0].open()
    const order: number[] = []
    for (const [lr20, priority] of [[1, 'background'], [2, 'slice'], [3, 'background'], [4, 'replay'], [5, 'slice'], [6, 'replay']] as const) void run(lr20, priority)
    await settle()
    for (let i = 0; i < 6; i++) {
      order.push(workers[0].working ?? 0)
      workers[0].finish()
    }
    expect(order).toEqual([1, 4, 6, 2, 5, 3])
  })

  test('one task per worker at a time', async () => {
    const { pool, workers, run } = await rig({ workers: 2 })
    workers.forEach(w => { w.open() })
    void run(1); void run(2); void run(3)
    await settle()
    expect(workers.map(w => w.working)).toEqual([1, 2])
    expect((await pool.status()).busy).toBe(2)
    workers[1].finish()
    expect(workers.map(w => w.working)).toEqual([1, 3])
  })

  test('a view into a large buffer travels alone', async () => {
    const { pool, workers } = await rig()
    workers[0].open()
    const whole = slice(1)
    const large = new Uint8Array(1_000_000)
    large.set(whole.inputs, 500)
    void pool.runSlice({ ...whole, inputs: large.subarray(500, 500 + whole.inputs.length) }, 'slice')
    await settle()
    const sent = workers[0].requests[1]
    if (sent.kind !== 'slice') throw new Error('no slice was sent')
    expect(sent.task.inputs.buffer.byteLength).toBe(whole.inputs.length)
    expect(sent.task.inputs).toEqual(whole.inputs)
  })
})

describe('limits', () => {
  test('more workers start at once, and no more than there may be', async () => {
    const { pool, workers } = await rig()
    await pool.setLimits(99, 1)
    expect(workers).toHaveLength(3)
    expect(await pool.status()).toMatchObject({ workers: 3, workersMax: 3 })
    await pool.setLimits(0, 1)
    expect(await pool.status()).toMatchObject({ workers: 1 })
  })

  test('one that finds no room goes; those that are there work on, and it is tried again when asked for', async () => {
    const { pool, workers, run } = await rig({ workers: 3 })
    workers[2].fail('WebAssembly.instantiate(): Out of memory')
    workers[0].open()
    // No room for the fast kernels, but for the slow ones: its slices would come thirty times as late.
    workers[1].open({ backend: 'reference', failure: 'wasm: out of memory' })
    expect(workers.map(w => w.terminated)).toEqual([false, true, true])
    expect(await pool.status()).toMatchObject({ workers: 1, workersMax: 3, backend: 'wasm', selfTest: 'passed' })
    const done = run(1)
    await settle()
    workers[0].finish()
    expect(await done).toBe('1 done')
    await pool.setLimits(2, 1)
    workers[3].open()
    expect(await pool.status()).toMatchObject({ workers: 2 })
  })

  test('the reference by choice is no lack of room, while the last of the fast ones is at work', async () => {
    const { pool, workers, run } = await rig({ workers: 3 })
    workers.forEach(w => { w.open() })
    void run(1)
    await settle()
    await pool.setBackend('reference')
    for (const w of workers.slice(3)) w.open({ backend: 'reference' })
    expect(workers.map(w => w.terminated)).toEqual([false, true, true, false, false])
    expect(await pool.status()).toMatchObject({ workers: 3, backend: 'reference' })
  })

  test('fewer: an idle one goes at once, a busy one when its task is done', async () => {
    const { pool, workers, run } = await rig({ workers: 3 })
    workers.forEach(w => { w.open() })
    const first = run(1)
    const second = run(2)
    await settle()
    await pool.setLimits(1, 1)
    expect(workers.map(w => w.terminated)).toEqual([false, false, true])
    workers[0].finish()
    expect(workers.map(w => w.terminated)).toEqual([true, false, true])
    workers[1].finish()
    expect(await Promise.all([first, second])).toEqual(['1 done', '2 done'])
    void run(3)
    await settle()
    expect(workers[1].working).toBe(3)
  })

  test('half the time: a slice of 100 ms is followed by 100 ms of rest', async () => {
    const { workers, clock, run } = await rig({ duty: 0.5 })
    workers[0].open()
    void run(1); void run(2)
    await settle()
    clock.pass(100)
    workers[0].finish()
    expect(workers[0].working).toBe(1)
    clock.pass(99)
    expect(workers[0].working).toBe(1)
    clock.pass(1)
    expect(workers[0].working).toBe(2)
  })

  test('a rest that is no whole number of milliseconds ends, too', async () => {
    const { workers, clock, run } = await rig({ duty: 0.8 })
    workers[0].open()
    void run(1); void run(2)
    await settle()
    clock.pass(101)
    workers[0].finish()
    clock.pass(24)
    expect(workers[0].working).toBe(1)
    clock.pass(1)
    expect(workers[0].working).toBe(2)
  })

  test('a replay does not wait for the rest, but is paid for by a longer one', async () => {
    const { workers, clock, run } = await rig({ duty: 0.25 })
    workers[0].open()
    void run(1); void run(2)
    await settle()
    clock.pass(100)
    workers[0].finish()
    void run(3, 'replay')
    await settle()
    expect(workers[0].working).toBe(3)
    clock.pass(50)
    workers[0].finish()
    // 300 ms for the slice and 150 for the replay, from the end of the slice on.
    clock.pass(399)
    expect(workers[0].working).toBe(3)
    clock.pass(1)
    expect(workers[0].working).toBe(2)
  })

  test('where replays alone take more than the share allowed, there is other work once a minute all the same', async () => {
    const { workers, clock, run } = await rig({ duty: 0.1 })
    workers[0].open()
    void run(1)
    await settle()
    workers[0].finish()
    const done = new Set([1])
    const slices: number[] = []
    for (let second = 2; second <= 300; second++) {
      // A replay of a second every five: nine for each would be owed.
      if (second % 5 === 0) void run(1_000 + second, 'replay')
      if (second % 60 === 2) void run(second)
      await settle()
      clock.pass(1_000)
      const task = workers[0].working!
      if (done.has(task)) continue
      done.add(task)
      workers[0].finish()
      if (task < 1_000) slices.push(second)
    }
    // Each within a minute of the one before.
    expect(slices.length).toBe(5)
    slices.reduce((before, now) => { expect(now - before).toBeLessThanOrEqual(REST_MAX_MS / 1_000 + 2); return now }, 0)
  })

  test('what is done in the background waits for a rest to end, but not for long', async () => {
    const { workers, clock, run } = await rig({ duty: 0.01 })
    workers[0].open()
    void run(1)
    await settle()
    clock.pass(1_000)
    workers[0].finish()
    void run(2)
    void run(3, 'background')
    await settle()
    clock.pass(BACKGROUND_WAIT_MS - 1)
    expect(workers[0].working).toBe(1)
    clock.pass(1)
    expect(workers[0].working).toBe(3)
  })

  test('it is ready for a slice when the rest is over: what is made then is not of yesterday', async () => {
    const { pool, workers, clock, run } = await rig({ duty: 0.5 })
    workers[0].open()
    await pool.ready()
    void run(1)
    await settle()
    let ready = false
    void pool.ready().then(() => { ready = true })
    clock.pass(100)
    workers[0].finish()
    clock.pass(99)
    await settle()
    expect(ready).toBe(false)
    clock.pass(1)
    await settle()
    expect(ready).toBe(true)
  })

  test('a free worker is offered to one who waits, and to the next if it is not used', async () => {
    const { pool, workers, clock, run } = await rig()
    workers[0].open()
    void run(1)
    await settle()
    const went: string[] = []
    for (const name of ['first', 'second']) void pool.ready().then(() => { went.push(name) })
    workers[0].finish()
    await settle()
    expect(went).toEqual(['first'])
    clock.pass(250)
    await settle()
    expect(went).toEqual(['first', 'second'])
  })

  test('nobody waits for a pool that has ended', async () => {
    const { pool } = await rig()
    const waiting = pool.ready()
    await pool.stop()
    await waiting
    await pool.ready()
  })

  test('raising the share to all of it ends the rest', async () => {
    const { pool, workers, clock, run } = await rig({ duty: 0.1 })
    workers[0].open()
    void run(1); void run(2)
    await settle()
    clock.pass(100)
    workers[0].finish()
    expect(workers[0].working).toBe(1)
    await pool.setLimits(1, 1)
    expect(workers[0].working).toBe(2)
  })

  test.each([0, -1, 1.1, Number.NaN])('a share of %d is refused', async duty => {
    const { pool } = await rig()
    await expect(pool.setLimits(1, duty)).rejects.toThrow('not in (0, 1]')
  })
})

describe('crashes', () => {
  test('the worker is replaced and its task runs again, before others', async () => {
    const { workers, run } = await rig()
    workers[0].open()
    const first = run(1)
    void run(2)
    await settle()
    workers[0].crash()
    expect(workers).toHaveLength(2)
    expect(workers[0].terminated).toBe(true)
    workers[1].open()
    expect(workers[1].working).toBe(1)
    workers[1].finish()
    expect(await first).toBe('1 done')
    expect(workers[1].working).toBe(2)
  })

  test('a task that crashes twice is given up, and the pool goes on', async () => {
    const { workers, run } = await rig()
    workers[0].open()
    const bad = run(1)
    const good = run(2)
    await settle()
    workers[0].crash()
    workers[1].open()
    workers[1].crash('stack overflow')
    expect(await bad).toBe('the worker crashed 2 times on this task: stack overflow')
    workers[2].open()
    workers[2].finish()
    expect(await good).toBe('2 done')
  })

  test('a crash that is reported twice counts once', async () => {
    const { workers } = await rig()
    workers[0].open()
    workers[0].crash()
    workers[0].crash()
    expect(workers).toHaveLength(2)
  })

  test('an error of the kernel rejects its task alone', async () => {
    const { workers, run } = await rig()
    workers[0].open()
    const bad = run(1)
    const good = run(2)
    await settle()
    workers[0].fail('compute task: 0 steps')
    expect(await bad).toBe('compute task: 0 steps')
    workers[0].finish()
    expect(await good).toBe('2 done')
    expect(workers).toHaveLength(1)
  })

  test('workers that never start end the pool with a reason', async () => {
    const { pool, workers, run } = await rig()
    const waiting = run(1)
    await settle()
    for (let i = 0; i < 3; i++) workers[i].crash('script not found')
    expect(workers).toHaveLength(3)
    expect(await waiting).toBe('workers do not start: script not found')
    expect(await run(2)).toBe('workers do not start: script not found')
    expect(await pool.status()).toMatchObject({ selfTest: 'failed', failure: 'workers do not start: script not found' })
  })
})

describe('one GPU', () => {
  const asked = (workers: FakeWorker[]): Array<string | undefined> => workers.map(({ requests: [first] }) => first.kind === 'open' ? first.backend : undefined)

  test('the leading slot measures alone; the others open on the CPU afterwards', async () => {
    const { pool, workers } = await rig({ backend: 'auto', workers: 3 })
    expect(asked(workers)).toEqual(['auto'])
    workers[0].open({ backend: 'webgpu' })
    expect(asked(workers)).toEqual(['auto', 'wasm', 'wasm'])
    expect(await pool.status()).toMatchObject({ backend: 'webgpu', choice: 'auto' })
    workers[1].open({ backend: 'wasm' })
    expect(await pool.status()).toMatchObject({ backend: 'webgpu', selfTest: 'passed' })
  })

  test('where only the reference is right, every slot opens that', async () => {
    const { workers } = await rig({ backend: 'auto', workers: 2 })
    workers[0].open({ backend: 'reference', failure: 'wasm: golden slice "x" differs' })
    expect(asked(workers)).toEqual(['auto', 'reference'])
  })

  test('fewer slots: the leading one stays', async () => {
    const { pool, workers } = await rig({ backend: 'webgpu', workers: 2 })
    workers[0].open({ backend: 'webgpu' })
    await pool.setLimits(1, 1)
    expect(workers.map(w => w.terminated)).toEqual([false, true])
  })

  test('a lost device: its task runs on a new one; lost again, without', async () => {
    const { pool, workers, run } = await rig({ backend: 'webgpu' })
    workers[0].open({ backend: 'webgpu' })
    const done = run(1)
    workers[0].lose('device lost (unknown): reset')
    expect(workers[0].terminated).toBe(true)
    expect(workers[1].requests).toEqual([{ kind: 'open', backend: 'webgpu' }])
    workers[1].open({ backend: 'webgpu' })
    workers[1].lose('device lost (unknown): again')
    expect(workers[2].requests).toEqual([{ kind: 'open', backend: 'webgpu', given: [{ backend: 'webgpu', state: 'lost', failure: 'webgpu: device lost (unknown): again' }] }])
    workers[2].open({ backend: 'wasm', failure: 'webgpu: device lost (unknown): again' })
    workers[2].finish()
    expect(await done).toBe('1 done')
    expect(await pool.status()).toMatchObject({ backend: 'wasm', selfTest: 'failed', failure: 'webgpu: device lost (unknown): again' })
  })

  test('a loss long after the last one is a first one', async () => {
    const { workers, clock } = await rig({ backend: 'webgpu' })
    clock.pass(10)
    for (const n of [0, 1]) {
      workers[n].open({ backend: 'webgpu' })
      workers[n].lose('asleep')
      clock.pass(600_001)
    }
    expect(workers[2].requests).toEqual([{ kind: 'open', backend: 'webgpu' }])
  })

  test('another choice: idle slots at once, busy ones when they are done', async () => {
    const { pool, workers, run } = await rig({ workers: 2 })
    workers[0].open()
    workers[1].open()
    const done = run(1)
    expect(workers[0].working).toBe(1)
    await pool.setBackend('reference')
    expect(workers.map(w => w.terminated)).toEqual([false, true, false])
    expect(await pool.status()).toMatchObject({ choice: 'reference', backend: 'reference', selfTest: 'pending' })
    workers[0].finish()
    expect(await done).toBe('1 done')
    expect(asked(workers)).toEqual(['wasm', 'wasm', 'reference', 'reference'])
    workers[2].open({ backend: 'reference' })
    expect(await pool.status()).toMatchObject({ backend: 'reference', selfTest: 'passed' })
  })

  test('what becomes known between tasks is in the status', async () => {
    const { pool, workers, run } = await rig({ backend: 'auto' })
    workers[0].open()
    const done = run(1)
    workers[0].tell({ backend: 'webgpu', reports: [{ backend: 'webgpu', state: 'ready', stepMs: 0.2 }] })
    workers[0].finish()
    await done
    expect(await pool.status()).toMatchObject({ backend: 'webgpu', reports: [{ backend: 'webgpu', state: 'ready', stepMs: 0.2 }] })
  })
})

describe('status', () => {
  test('the self-test: pending, then passed', async () => {
    const { pool, workers } = await rig()
    expect(await pool.status()).toMatchObject({ backend: 'wasm', selfTest: 'pending' })
    workers[0].open()
    expect(await pool.status()).toEqual({ backend: 'wasm', workers: 1, workersMax: 3, busy: 0, stepsPerSecond: 0, macsPerSecond: 0, selfTest: 'passed', choice: 'wasm', reports: [] })
  })

  test('a backend that failed is named, and the one in use is shown', async () => {
    const { pool, workers } = await rig()
    workers[0].open({ backend: 'reference', failure: 'wasm: golden slice "x" differs' })
    expect(await pool.status()).toMatchObject({ backend: 'reference', selfTest: 'failed', failure: 'wasm: golden slice "x" differs' })
  })

  test('when no backend is right, everything is refused with the reason', async () => {
    const { pool, workers, run } = await rig()
    const waiting = run(1)
    await settle()
    workers[0].fail('no backend computes the golden slices: ...')
    expect(await waiting).toContain('no backend computes the golden slices')
    expect(await pool.status()).toMatchObject({ selfTest: 'failed' })
  })

  test('throughput: over the last slices, falling when idle', async () => {
    const { pool, workers, clock, run } = await rig()
    workers[0].open()
    for (let i = 1; i <= 4; i++) {
      const done = run(i)
      await settle()
      clock.pass(100)
      workers[0].finish()
      await done
    }
    expect(await pool.status()).toMatchObject({ stepsPerSecond: 100, macsPerSecond: 50_000 })
    clock.pass(400)
    expect((await pool.status()).stepsPerSecond).toBe(50)
    clock.pass(60_000)
    expect((await pool.status()).stepsPerSecond).toBe(0)
  })

  test('stop ends workers, timers and waiting tasks', async () => {
    const { pool, workers, clock, run } = await rig({ duty: 0.5 })
    workers[0].open()
    const first = run(1)
    await settle()
    clock.pass(10)
    workers[0].finish()
    await first
    const waiting = run(2)
    await settle()
    await pool.stop()
    expect(workers[0].terminated).toBe(true)
    expect(clock.timers).toBe(0)
    expect(await waiting).toBe('compute is stopped')
    expect(await run(3)).toBe('compute is stopped')
  })
})

describe('worker threads', () => {
  let pool: Compute | undefined
  afterEach(async () => { await pool?.stop() })

  test('compute what the reference computes, side by side', async () => {
    const clock: Clock = { now: () => performance.now(), after: (ms, fn) => { const t = setTimeout(fn, ms); return () => { clearTimeout(t) } } }
    const spawn = vi.fn(spawnNodeWorker)
    pool = await createComputePool({ spawn, backend: 'wasm', workersMax: 2, workers: 2, duty: 1, clock })
    const tasks = [task([20, 9, 4], 16, 5, { seed: 1 }), task([11, 4], 17, 3, { seed: 2 }), task([30, 9, 8, 4], 32, 4, { seed: 3 })]
    const before = tasks.map(t => hashOf(t.state))
    const results = await Promise.all(tasks.map(async t => await pool!.runSlice(t, 'slice')))
    expect(results.map(r => hashOf(r.state))).toEqual(tasks.map(t => hashOf(referenceKernels.runSlice(t))))
    // What the caller gave is still the caller's.
    expect(tasks.map(t => hashOf(t.state))).toEqual(before)
    const { spec, state, inputs, labels } = tasks[0]
    const evaluation = await pool.evaluate({ spec, state, inputs, labels })
    expect(evaluation.count).toBe(80)
    expect((await pool.predict({ spec, state, inputs: inputs.subarray(0, 20), labels: labels.subarray(0, 1) })).probabilities).toHaveLength(4)
    await expect(pool.runSlice({ ...tasks[0], steps: 0 }, 'slice')).rejects.toThrow('compute task: 0 steps')
    expect(await pool.status()).toMatchObject({ backend: 'wasm', selfTest: 'passed', busy: 0 })
    expect(spawn).toHaveBeenCalledTimes(2)
  })
})

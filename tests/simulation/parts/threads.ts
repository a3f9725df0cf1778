/** The parts of a world in a thread each. */
import { isMainThread, type MessagePort, MessageChannel, parentPort, receiveMessageOnPort, Worker, workerData } from 'node:worker_threads'
import { PARTS } from '../internet.ts'
import { AHEAD, hear, isLook, type Part, untilWord, type Word } from './lockstep.ts'

/** A window takes milliseconds. */
const OTHER_MS = 600_000

interface Given<Data> { readonly part: number, readonly data: Data, readonly port: MessagePort, readonly turns: Int32Array }

/** What a thread tells the one that started it. */
type Told<Look, Seen> = { readonly look: Look } | { readonly seen: Seen }

/** Is this a thread for a part of a world? */
export const isPartThread = (): boolean => !isMainThread && (workerData as Given<unknown> | null)?.turns !== undefined

/** The thread's side: makes its part, runs it for `ms` beside the other one, and tells of both. */
export async function runPart<Data, Look, Seen> (make: (data: Data, index: number) => { readonly part: Part, readonly ms: number, readonly look: () => Look, readonly seen: () => Seen }): Promise<void> {
  const { data, part: index, port, turns } = workerData as Given<Data>
  const { look, ms, part, seen } = make(data, index)
  const tell = (told: Told<Look, Seen>): void => { parentPort!.postMessage(told) }
  const other = PARTS - 1 - index
  const links: Array<Word['links']> = []
  let heard = 0
  const hearNext = (): void => {
    heard++
    for (let at = Atomics.load(turns, other); at < heard; at = Atomics.load(turns, other)) {
      if (Atomics.wait(turns, other, at, OTHER_MS) === 'timed-out') throw new Error('the other part of the world has stopped')
    }
    hear(part, { links: links.shift() }, (receiveMessageOnPort(port) as { readonly message: Word }).message)
  }
  for (let turn = 1; part.world.elapsed < ms; turn++) {
    if (links.length === AHEAD) hearNext()
    const word = await untilWord(part, ms)
    links.push(word.links)
    port.postMessage(word)
    Atomics.store(turns, index, turn)
    Atomics.notify(turns, index)
    if (isLook(part.world.elapsed, ms)) tell({ look: look() })
  }
  while (links.length > 0) hearNext()
  tell({ seen: seen() })
  port.close()
}

/** Starts the threads, of the program `entry`, which calls `runPart` where `isPartThread`. `looked`: what all of them say of one time. */
export async function inThreads<Data, Look, Seen> (entry: URL, data: Data, looked: (looks: readonly Look[]) => void): Promise<Seen[]> {
  const { port1, port2 } = new MessageChannel()
  const turns = new Int32Array(new SharedArrayBuffer(PARTS * Int32Array.BYTES_PER_ELEMENT))
  const ahead: Look[][] = Array.from({ length: PARTS }, () => [])
  const threads: Worker[] = []
  try {
    return await Promise.all([port1, port2].map((port, part) => new Promise<Seen>((resolve, reject) => {
      const given: Given<Data> = { part, data, port, turns }
      const thread = new Worker(entry, { workerData: given, transferList: [port] })
      threads.push(thread)
      thread.on('error', reject)
      thread.on('exit', code => { reject(new Error(`a part of the world has ended with ${code}`)) })
      thread.on('message', (told: Told<Look, Seen>) => {
        if ('seen' in told) return resolve(told.seen)
        ahead[part].push(told.look)
        if (ahead.every(looks => looks.length > 0)) looked(ahead.map(looks => looks.shift()!))
      })
    })))
  } finally {
    await Promise.all(threads.map(async t => await t.terminate()))
  }
}

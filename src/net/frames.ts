/**
 * One length-prefixed frame per direction of a stream. A reader states its limit before it reads,
 * keeps no byte beyond it, and goes on discarding what still comes, so that an answer (`too-large`)
 * can reach a sender that is still sending.
 */
import type { Stream, StreamMessageEvent } from '@libp2p/interface'

const HEAD_BYTES = 4
/** Bytes handed to a stream at once; between them the sender waits for the stream to drain. */
const WRITE_BYTES = 64 * 1024

export class FrameTooLarge extends Error {
  constructor (readonly bytes: number, readonly limit: number) { super(`a frame of ${bytes} bytes, ${limit} are allowed`) }
}

export async function readFrame (stream: Stream, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const head = new Uint8Array(HEAD_BYTES)
    let frame: Uint8Array | undefined
    let at = 0
    let over = false
    const end = (fn: () => void): void => {
      if (over) return
      over = true
      stream.removeEventListener('close', onEnd)
      stream.removeEventListener('remoteCloseWrite', onEnd)
      signal.removeEventListener('abort', onAbort)
      fn()
    }
    const onEnd = (): void => { end(() => { reject(new Error('the stream ended within a frame')) }) }
    const onAbort = (): void => { end(() => { reject(new Error('the stream was too slow')) }) }
    const take = (part: Uint8Array): void => {
      let from = 0
      while (!over && (from < part.length || frame?.length === at)) {
        const into = frame ?? head
        const n = Math.min(into.length - at, part.length - from)
        into.set(part.subarray(from, from + n), at)
        from += n
        at += n
        if (at < into.length) return
        if (frame !== undefined) {
          const whole = frame
          return end(() => { resolve(whole) })
        }
        const size = new DataView(head.buffer).getUint32(0, true)
        if (size > maxBytes) return end(() => { reject(new FrameTooLarge(size, maxBytes)) })
        frame = new Uint8Array(size)
        at = 0
      }
    }
    stream.addEventListener('message', (e: StreamMessageEvent) => {
      if (over) return
      if (e.data instanceof Uint8Array) take(e.data)
      else for (const part of e.data) take(part)
    })
    stream.addEventListener('close', onEnd)
    stream.addEventListener('remoteCloseWrite', onEnd)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
  })
}

export async function writeFrame (stream: Stream, frame: Uint8Array, signal: AbortSignal): Promise<void> {
  const first = new Uint8Array(HEAD_BYTES + Math.min(frame.length, WRITE_BYTES))
  new DataView(first.buffer).setUint32(0, frame.length, true)
  first.set(frame.subarray(0, WRITE_BYTES), HEAD_BYTES)
  if (!stream.send(first)) await stream.onDrain({ signal })
  for (let at = WRITE_BYTES; at < frame.length; at += WRITE_BYTES) {
    if (!stream.send(frame.subarray(at, at + WRITE_BYTES))) await stream.onDrain({ signal })
  }
}

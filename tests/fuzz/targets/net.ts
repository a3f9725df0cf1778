/** What comes over a stream before anybody knows what it is: frames, and the names of peers. */
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { FrameTooLarge, readFrame } from '../../../src/net/frames.ts'
import { decodeNames, encodeNames, MAX_NAMES } from '../../../src/net/protocols.ts'
import { ACCEPTED, must, sameBytes, type Target, textBytes, words } from '../target.ts'

const FRAME_MAX = 200

type Listener = (event: { readonly data?: Uint8Array }) => void

/** As much of a stream as a reader of frames uses. */
class FakeStream {
  readonly listeners = new Map<string, Listener>()
  addEventListener (type: string, listener: Listener): void { this.listeners.set(type, listener) }
  removeEventListener (type: string): void { this.listeners.delete(type) }
}

/** Never aborted: a signal of its own for every input would be most of the work. */
const QUIET = new AbortController().signal

/** The first byte says into how large pieces the rest is cut on its way. */
const frame: Target = {
  name: 'net/frame',
  max: 512,
  covers: ['src/net/frames.ts#readFrame'],
  seeds: () => [[], [1, 2, 3], new Array<number>(FRAME_MAX).fill(7), new Array<number>(FRAME_MAX + 1).fill(7)].flatMap(body =>
    [1, 4, 7, 255].map(piece => Uint8Array.of(piece, body.length, 0, 0, 0, ...body))),
  run: async input => {
    if (input.length === 0) return 'nothing'
    const piece = Math.max(1, input[0])
    const sent = input.slice(1)
    const stream = new FakeStream()
    const read = readFrame(stream as unknown as Stream, FRAME_MAX, QUIET)
    for (let at = 0; at < sent.length; at += piece) stream.listeners.get('message')?.({ data: sent.subarray(at, at + piece) })
    stream.listeners.get('remoteCloseWrite')?.({})
    const size = sent.length < 4 ? undefined : new DataView(sent.buffer).getUint32(0, true)
    let got: Uint8Array
    try { got = await read } catch (e) {
      if (e instanceof FrameTooLarge) {
        must(size !== undefined && size > FRAME_MAX && e.bytes === size, 'a frame that fits is too large')
        return 'too large'
      }
      must(e instanceof Error && e.message === 'the stream ended within a frame', 'refused for no reason')
      must(size === undefined || sent.length - 4 < size, 'a whole frame is cut')
      return 'cut'
    }
    must(size !== undefined && size <= FRAME_MAX && sameBytes(got, sent.subarray(4, 4 + size)), 'a frame of other bytes')
    return ACCEPTED
  }
}

const ID = '12D3KooWGbfHsbdYbsdCRRKAH2JGSgDmrfQqVYdC9nKBfqTz3V7x'

const names: Target = {
  name: 'net/names',
  max: 512,
  covers: ['src/net/protocols.ts#decodeNames'],
  dictionary: words('\n', '\r\n', ID, '0OIl', '12D3KooW', 'Qm', '16Uiu2HA', 'k51qzi5uqu5', 'bafz'),
  seeds: () => [textBytes(ID), textBytes(`${ID}\n${ID}`), textBytes(`x\n${ID}\n`), textBytes('2'.repeat(50))],
  run: input => {
    const ids = decodeNames(input)
    must(ids.length <= MAX_NAMES && ids.every(id => id.length <= 64 && peerIdFromString(id).toString() === id), 'a name that is none')
    const again = decodeNames(encodeNames(ids))
    must(again.length === ids.length && again.every((id, i) => id === ids[i]), 'names do not come back')
    return ids.length === 0 ? 'no name' : ACCEPTED
  }
}

export const netTargets: readonly Target[] = [frame, names]

/**
 * Counts the bytes of every protocol stream, the one place that sees WebRTC and WebSocket alike.
 * libp2p offers it as `Metrics`; of that interface only the stream hook is of use here.
 */
import type { Metrics, Stream } from '@libp2p/interface'

type Sized = { readonly byteLength: number }
/** Streams of all libp2p's muxers take their bytes through `onData` (AbstractMessageStream). */
type Incoming = Stream & { onData?: (data: Sized) => void }

const nothing = (): void => {}
const timer = (): (() => void) => nothing
const metric = { update: nothing, increment: nothing, decrement: nothing, reset: nothing, observe: nothing, timer }
const register = (): typeof metric => metric

export class StreamBytes {
  in = 0
  out = 0

  readonly metrics = (): Metrics => ({
    trackMultiaddrConnection: nothing,
    trackProtocolStream: (stream: Stream) => { this.#track(stream) },
    registerMetric: register,
    registerMetricGroup: register,
    registerCounter: register,
    registerCounterGroup: register,
    registerHistogram: register,
    registerHistogramGroup: register,
    registerSummary: register,
    registerSummaryGroup: register,
    traceFunction: <F>(_name: string, fn: F): F => fn,
    createTrace: nothing
  } as unknown as Metrics)

  // A 'message' listener would make the stream deliver before its handler listens: wrap instead.
  #track (stream: Incoming): void {
    const send = stream.send.bind(stream)
    stream.send = data => {
      this.out += data.byteLength
      return send(data)
    }
    const onData = stream.onData?.bind(stream)
    if (onData !== undefined) {
      stream.onData = data => {
        this.in += data.byteLength
        onData(data)
      }
    }
  }
}

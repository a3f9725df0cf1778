/**
 * A race in @libp2p/webrtc 6.0: the listener's muxer closes the dialer's 'init' data channel as
 * soon as it adopts it. Where that happens before the dialer saw the channel open, the dialer
 * waits for an event that never comes, and the dial dies after 6 s (27 to 49 % of dials on a fast
 * network). Only the side that made the 'init' channel may close it.
 */
const installed = new WeakSet<object>()

export function installInitChannelShim (): void {
  const connection = globalThis.RTCPeerConnection?.prototype
  const channel = globalThis.RTCDataChannel?.prototype
  if (connection === undefined || channel === undefined || installed.has(connection)) return
  installed.add(connection)
  const mine = new WeakSet<RTCDataChannel>()
  const create = connection.createDataChannel
  const close = channel.close
  connection.createDataChannel = function (...args) {
    const made = create.apply(this, args)
    mine.add(made)
    return made
  }
  channel.close = function () {
    if (this.label === 'init' && !mine.has(this)) return
    close.call(this)
  }
}

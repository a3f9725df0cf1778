/** The mesh keeps nothing of who has gone, in a tab and at the server. */
import type { Libp2p, PeerId } from '@libp2p/interface'

/**
 * The stock book of peers keeps a name until somebody asks for it, and nobody asks for one that never comes back:
 * every load of the page is a new one. Who is here keeps its entry, and who comes back says anew who it is.
 */
export function forgetTheGone (node: Pick<Libp2p, 'addEventListener' | 'getConnections'> & { readonly peerStore: Pick<Libp2p['peerStore'], 'delete'> }): void {
  const forget = (peer: PeerId): void => {
    if (node.getConnections(peer).length > 0) return
    // An entry that stays costs memory and nothing else.
    node.peerStore.delete(peer).catch(() => {})
  }
  node.addEventListener('peer:disconnect', e => { forget(e.detail) })
  // What a name says of itself as it goes may be written down only after it has gone.
  node.addEventListener('peer:update', e => { forget(e.detail.peer.id) })
}

/** You in the middle, the others around: line by kind of link, size by score. The table has the same facts. */
import { createMemo, For, Show, type JSX } from 'solid-js'
import type { PeerNode } from '../../bridge/api.ts'
import { count, shortId } from '../format.ts'

/** More than this many names cannot be told apart; the table has them all. */
export const MAP_MAX = 36
const INNER_MAX = 14
const CX = 320
const CY = 190

interface Spot { readonly peer: PeerNode, readonly x: number, readonly y: number }

/** Places on one or two ellipses; servers at the top, outside of them. */
export function layout (peers: readonly PeerNode[]): Spot[] {
  const servers = peers.filter(p => p.link === 'server')
  const others = peers.filter(p => p.link !== 'server').sort((a, b) => a.id < b.id ? -1 : 1).slice(0, MAP_MAX)
  const inner = others.slice(0, INNER_MAX)
  const outer = others.slice(INNER_MAX)
  const ring = (list: readonly PeerNode[], rx: number, ry: number, turn: number): Spot[] => list.map((peer, i) => {
    const angle = (i + turn) / list.length * 2 * Math.PI - Math.PI / 2
    return { peer, x: CX + Math.cos(angle) * rx, y: CY + Math.sin(angle) * ry }
  })
  return [
    ...servers.map((peer, i) => ({ peer, x: CX + (i - (servers.length - 1) / 2) * 110, y: 26 })),
    ...ring(inner, outer.length > 0 ? 150 : 210, outer.length > 0 ? 88 : 124, 0.5),
    ...ring(outer, 275, 148, 0.5)
  ]
}

export function scoreTone (score: number): 'good' | 'idle' | 'bad' {
  return score < 0 ? 'bad' : score > 0 ? 'good' : 'idle'
}

export function PeerMap (props: { peers: readonly PeerNode[], height: number, slot: number }): JSX.Element {
  const spots = createMemo(() => layout(props.peers))
  /** Beyond one ring names would cover one another; they are in the table and on hover. */
  const named = (): boolean => spots().filter(s => s.peer.link !== 'server').length <= INNER_MAX
  /** Away from the middle, so that no line runs through a name. */
  const labelY = (s: Spot): number => s.peer.link === 'server' ? s.y + 4 : s.y < CY - 20 ? s.y - radius(s.peer) - 17 : s.y + radius(s.peer) + 13
  const hidden = (): number => props.peers.length - spots().length
  const radius = (p: PeerNode): number => p.link === 'server' ? 9 : 9 + Math.max(-3, Math.min(5, p.score / 10))
  return (
    <div class="peermap" data-testid="peer-map">
      <svg viewBox="0 0 640 384" role="img" aria-label={`You and ${props.peers.length} connections. The table below names them.`}>
        <For each={spots()}>{s => <line x1={CX} y1={CY} x2={s.x} y2={s.y} class={`link link-${s.peer.link}`} />}</For>
        <For each={spots()}>{s => (
          <g class={`peer peer-${s.peer.link} score-${scoreTone(s.peer.score)}`}>
            <title>{`${s.peer.id}, ${LINK_WORDS[s.peer.link]}, score ${s.peer.score.toFixed(1)}`}</title>
            <Show when={s.peer.link === 'server'} fallback={<circle cx={s.x} cy={s.y} r={radius(s.peer)} />}>
              <rect x={s.x - 11} y={s.y - 9} width="22" height="18" rx="4" />
              <path d={`M${s.x - 6} ${s.y - 3}h12M${s.x - 6} ${s.y + 3}h12`} class="server-lines" />
            </Show>
            <Show when={s.peer.link === 'server' || named()}>
              <text x={s.x + (s.peer.link === 'server' ? 18 : 0)} y={labelY(s)} text-anchor={s.peer.link === 'server' ? 'start' : 'middle'}>{s.peer.link === 'server' ? 'server' : shortId(s.peer.id.slice(-8), 4, 3)}</text>
              <Show when={s.peer.height}>{h => <text x={s.x} y={labelY(s) + 12} text-anchor="middle" class="peer-height">{count(h())}</text>}</Show>
            </Show>
          </g>
        )}</For>
        <g class="peer peer-self">
          <circle cx={CX} cy={CY} r="20" />
          <text x={CX} y={CY + 4} text-anchor="middle" class="self-text">you</text>
          <text x={CX} y={CY + 36} text-anchor="middle" class="peer-height">{count(props.height)}</text>
        </g>
      </svg>
      <ul class="legend" aria-hidden="true">
        <li><span class="legend-line link-webrtc" />direct</li>
        <li><span class="legend-line link-relay" />through a relay</li>
        <li><span class="legend-line link-server" />server</li>
        <Show when={hidden() > 0}><li>and {count(hidden())} more in the table</li></Show>
      </ul>
    </div>
  )
}

export const LINK_WORDS: Record<PeerNode['link'], string> = { webrtc: 'direct (WebRTC)', relay: 'through a relay', server: 'server', memory: 'in this process' }

/** Who this tab is connected to, how, and whom it refused and why. */
import { createMemo, For, Show, type JSX } from 'solid-js'
import type { PeerNode, RefusalView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { ago, bytes, clock, count, plural, shortId } from '../format.ts'
import { Badge, Card, Empty, Hash, Stat } from '../parts/basics.tsx'
import { InviteCard } from '../parts/Invite.tsx'
import { LINK_WORDS, PeerMap, scoreTone } from '../parts/PeerMap.tsx'
import type { Tone } from '../words.ts'

const REFUSALS_SHOWN = 60

export function Network (): JSX.Element {
  const app = useApp()
  const net = (): typeof app.view.net => app.view.net
  const stopped = (): boolean => app.view.phase.phase === 'stopped'
  const relaysUp = (): number => net().relays.filter(r => r.connected).length
  return (
    <>
      <dl class="stats">
        <Stat label="Peers" value={count(app.view.peers.filter(p => p.link !== 'server').length)} note={`${app.view.peers.filter(p => p.link === 'webrtc').length} direct`} />
        <Stat label="Servers" value={`${relaysUp()} of ${net().relays.length}`} note={relaysUp() > 0 ? 'reachable' : 'not reachable now'} tip="Servers only help tabs to find one another. Tabs that know one another go on without." testid="relays" />
        <Stat label="Received" value={bytes(net().bytesIn)} testid="bytes-in" />
        <Stat label="Sent" value={bytes(net().bytesOut)} testid="bytes-out" />
      </dl>
      <div class="network-grid">
        <Card title="Peers" class="network-map">
          <Show when={app.view.peers.length > 0} fallback={stopped() ? <Empty icon="network" title="No connection">A node that has stopped is linked to nobody.</Empty> : <Empty icon="network" title="No connection yet">Open this page in a second tab, or send someone the invite link.</Empty>}>
            <PeerMap peers={app.view.peers} height={app.view.height} slot={app.view.slot} />
          </Show>
        </Card>
        <InviteCard />
      </div>
      <PeerTable />
      <Refusals />
      <Servers />
    </>
  )
}

function PeerTable (): JSX.Element {
  const app = useApp()
  const order: Record<PeerNode['link'], number> = { webrtc: 0, memory: 1, relay: 2, server: 3 }
  const sorted = createMemo(() => [...app.view.peers].sort((a, b) => order[a.link] - order[b.link] || b.score - a.score))
  const tone = (p: PeerNode): Tone => { const t = scoreTone(p.score); return t === 'good' ? 'good' : t === 'bad' ? 'bad' : 'idle' }
  return (
    <Card title="Connections" aside={<span class="quiet">this tab: <Hash value={app.view.self} label="peer id of this tab" /></span>}>
      <Show when={sorted().length > 0} fallback={<p class="quiet">Nobody is connected.</p>}>
        <div class="table-scroll table-tall" tabIndex={0} role="region" aria-label="Connections">
          <table class="table" data-testid="peer-table">
            <thead><tr><th scope="col">Peer</th><th scope="col">Link</th><th scope="col" class="num">Block</th><th scope="col" class="num">Round trip</th><th scope="col" class="num">Score</th></tr></thead>
            <tbody>
              <For each={sorted()}>{p => (
                <tr data-testid="peer-row">
                  <td><code title={p.id}>{shortId(p.id, 4, 8)}</code></td>
                  <td>{LINK_WORDS[p.link]}</td>
                  <td class="num">{p.height === undefined ? '–' : count(p.height)}</td>
                  <td class="num">{p.rttMs === undefined ? '–' : `${Math.round(p.rttMs)} ms`}</td>
                  <td class="num"><Badge tone={tone(p)}>{p.score.toFixed(1)}</Badge></td>
                </tr>
              )}</For>
            </tbody>
          </table>
        </div>
      </Show>
    </Card>
  )
}

function Refusals (): JSX.Element {
  const app = useApp()
  const newest = createMemo((): RefusalView[] => [...app.view.refusals].sort((a, b) => b.timeMs - a.timeMs).slice(0, REFUSALS_SHOWN))
  return (
    <Card title="Refused" aside={<span class="quiet">{plural(app.view.net.banned.length, 'peer')} banned</span>} testid="refusals">
      <Show when={app.view.net.banned.length > 0}>
        <ul class="bans">
          <For each={app.view.net.banned}>{b => <li data-testid="ban-row"><Badge tone="bad">banned</Badge><code title={b.id}>{shortId(b.id, 4, 8)}</code><span>{b.reason}</span></li>}</For>
        </ul>
      </Show>
      <Show when={newest().length > 0} fallback={<p class="quiet">Nothing was refused. What breaks a rule shows up here with the name of the rule and who sent it.</p>}>
        <div class="table-scroll table-tall" tabIndex={0} role="region" aria-label="Refusals">
          <table class="table">
            <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Rule</th><th scope="col">Detail</th><th scope="col">From</th></tr></thead>
            <tbody>
              <For each={newest()}>{r => (
                <tr data-testid="refusal-row">
                  <td title={clock(r.timeMs)} class="nowrap">{ago(r.timeMs, app.now())}</td>
                  <td>{r.what}</td>
                  <td><code class="reason">{r.reason}</code></td>
                  <td class="detail">{r.detail}</td>
                  <td><Show when={r.peer} fallback="–">{p => <code title={p()}>{shortId(p(), 4, 6)}</code>}</Show></td>
                </tr>
              )}</For>
            </tbody>
          </table>
        </div>
      </Show>
    </Card>
  )
}

function Servers (): JSX.Element {
  const app = useApp()
  return (
    <Card title="Servers">
      <Show when={app.view.net.relays.length > 0} fallback={<p class="quiet">No server is known. This tab relies on the peers it has.</p>}>
        <ul class="servers">
          <For each={app.view.net.relays}>{r => <li data-testid="relay-row" data-connected={r.connected}><Badge tone={r.connected ? 'good' : 'warn'}>{r.connected ? 'connected' : 'not reachable'}</Badge><code>{r.address}</code></li>}</For>
        </ul>
        <p class="quiet">A server hands out this page and helps tabs to find one another. It holds no keys, and the network goes on without it.</p>
      </Show>
    </Card>
  )
}

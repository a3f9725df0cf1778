/** The address that brings another tab into this network, to copy, share or scan. */
import { Show, type JSX } from 'solid-js'
import type { NodePhase, NodeView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { Button, Card, CopyButton, Note } from './basics.tsx'
import { Qr } from './Qr.tsx'

type Relay = NodeView['net']['relays'][number]

/** Whether the server that hands out the page is away: it is one of those that introduce tabs, and where it is not told apart, all of them are. */
export function isServerAway (link: string, relays: readonly Relay[]): boolean {
  const { hostname } = new URL(link)
  const own = relays.filter(r => r.address.split('/').includes(hostname))
  const asked = own.length > 0 ? own : relays
  return asked.length > 0 && asked.every(r => !r.connected)
}

/** Before they have found anybody, or once they have stopped, tabs are linked to no server: that says nothing of it. */
const UNLINKED: ReadonlySet<NodePhase['phase']> = new Set<NodePhase['phase']>(['starting', 'joining', 'stopped'])

const LOCAL = /^(localhost|127\.|\[::1\])/

export function InviteCard (): JSX.Element {
  const app = useApp()
  const link = (): string => app.invite()
  const canShare = typeof navigator.share === 'function'
  const share = async (): Promise<void> => {
    try { await navigator.share({ title: 'Commonweight', text: 'Train models together in a browser tab', url: link() }) } catch { /* the person closed the sheet */ }
  }
  return (
    <Card title="Invite others" testid="invite">
      <Show when={isServerAway(link(), app.view.net.relays) && !UNLINKED.has(app.view.phase.phase)}>
        <Note tone="warn" role="status" title="Nobody can open this link at present" testid="invite-away">The server that hands out the page is not reachable from here. Tabs that are linked go on without it; the link works again once the server is back.</Note>
      </Show>
      <div class="invite">
        <Qr text={link()} label="QR code of the invite link" />
        <div class="invite-words">
          <p>Whoever opens this link becomes a node of this network. More tabs train faster and check one another.</p>
          <code class="invite-link" data-testid="invite-link">{link()}</code>
          <div class="row">
            <CopyButton text={link()} label="Copy the invite link" testid="invite-copy">Copy link</CopyButton>
            <Show when={canShare}><Button small icon="share" onClick={() => { void share() }}>Share</Button></Show>
          </div>
        </div>
      </div>
      <Show when={LOCAL.test(new URL(link()).hostname)}>
        <Note tone="warn">This address works on this machine only: in other tabs, windows and profiles. For other machines, open the page through https under a name they can reach, and copy the link there.</Note>
      </Show>
    </Card>
  )
}

/** One set and its swarm: facts, pieces, files, speed, peers, and who was shut out. */
import { createMemo, createSignal, For, Show, type JSX } from 'solid-js'
import type { LibraryItem, LibraryView, SwarmPeerView } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { bytes, count, dateTime, percent, plural, rate, sentence, shortId } from '../format.ts'
import { healthOf, hostingWords, isWhole, kindOf, nameOf, piecesHere, plainText, stateWords } from '../libraryWords.ts'
import { Badge, Button, Card, Empty, Hash, Progress } from '../parts/basics.tsx'
import { PieceMap } from '../parts/PieceMap.tsx'
import { RateChart } from '../parts/RateChart.tsx'
import { createSaver, SetActions } from '../parts/SetActions.tsx'
import { HealthView, KindBadge, Licence, MadeBy, OtherTab, Problem, Publisher, SetLinks, Standing, StoreNote } from '../parts/SetParts.tsx'
import { fileShares, isInfoHash } from '../torrents.ts'

/** More rows make a page slow; the sums above count everybody and everything. */
const PEERS_SHOWN = 100
const FILES_SHOWN = 300
const BANS_SHOWN = 50

export function LibrarySet (props: { view: LibraryView, infoHash: string }): JSX.Element {
  const app = useApp()
  return <Show when={app.library.item(props.infoHash)} fallback={<Unknown infoHash={props.infoHash} />}>{item => <Swarm item={item()} view={props.view} />}</Show>
}

function Unknown (props: { infoHash: string }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<string>()
  const look = async (): Promise<void> => {
    setBusy(true)
    const outcome = await app.attempt('Looking for it', async () => await app.node.addToLibrary(props.infoHash))
    setBusy(false)
    if (outcome?.ok === false) setRefused(outcome.errors.map(e => sentence(e.message)).join(' '))
  }
  return (
    <Card testid="set-unknown">
      <Show when={isInfoHash(props.infoHash)} fallback={<Empty icon="library" title="This address names no set">An infohash has 40 hex digits; some of them may have been lost when the address was copied.</Empty>}>
        <Empty icon="library" title="This set is not in your library" action={<Button busy={busy()} icon="download" data-testid="set-look" onClick={() => { void look() }}>Look for it</Button>}>
          Nobody has told this tab of <code>{shortId(props.infoHash)}</code> yet. It can ask others for it.
        </Empty>
        <Show when={refused()}><p class="field-error centre" role="alert">{refused()}</p></Show>
      </Show>
    </Card>
  )
}

function Swarm (props: { item: LibraryItem, view: LibraryView }): JSX.Element {
  const app = useApp()
  const i = (): LibraryItem => props.item
  const children = createMemo(() => props.view.items.filter(o => o.note?.parents.includes(i().infoHash) === true).map(o => o.infoHash))
  const parents = (): LibraryItem['infoHash'][] => [...i().note?.parents ?? []]
  const about = (): string => plainText(i().note?.about ?? '')
  const have = createMemo(() => piecesHere(i()))
  return (
    <div class="stack" data-testid="set-detail" data-state={i().state}>
      <StoreNote view={props.view} />
      <Card title={nameOf(i())} aside={<KindBadge item={i()} />}>
        <Show when={about() !== ''}><p class="set-about">{about()}</p></Show>
        <Standing item={i()} />
        <p class="quiet">{stateWords(i()).text}</p>
        <OtherTab item={i()} />
        <Problem item={i()} />
        <dl class="facts facts-wide">
          <div><dt>Size</dt><dd>{i().bytes === 0 ? 'not known yet' : `${bytes(i().bytes)}${i().pieces === 0 ? '' : ` in ${plural(i().pieces, 'piece')} of ${bytes(i().pieceBytes)}`}`}</dd></div>
          <div><dt>Licence</dt><dd><Licence item={i()} /></dd></div>
          <div><dt>Published by</dt><dd class="who"><Publisher item={i()} /><Show when={i().note}><small>{i().forNode ? 'Fetched or made by this node for its own work; everyone makes the same file.' : 'Signed by this key; what it says has not been checked.'}</small></Show></dd></div>
          <Show when={i().note?.job}><div><dt>Made by</dt><dd><MadeBy item={i()} /></dd></div></Show>
          <Show when={parents().length > 0}><div data-testid="set-parents"><dt>Made from</dt><dd><SetLinks infoHashes={parents()} /></dd></div></Show>
          <Show when={children().length > 0}><div data-testid="set-children"><dt>Went into</dt><dd><SetLinks infoHashes={children()} /></dd></div></Show>
          <div><dt>Health</dt><dd><HealthView item={i()} tip={false} /> <small>{healthOf(i()).text}</small></dd></div>
          <div><dt>Hosting</dt><dd data-testid="set-hosting">{hostingWords(i())}</dd></div>
          <div><dt>Passed</dt><dd>{bytes(i().down)} received, {bytes(i().up)} sent <small>since it was last started here</small></dd></div>
          <Show when={i().addedAt > 0}><div><dt>Added</dt><dd>{dateTime(i().addedAt)}</dd></div></Show>
          <div><dt>Infohash</dt><dd><Hash value={i().infoHash} label="infohash" /></dd></div>
        </dl>
        <div class="actions"><SetActions item={i()} onRemoved={() => { app.router.go('library') }} /></div>
      </Card>
      <div class="set-grid">
        <Card title="Pieces">
          <Show when={i().pieces > 0} fallback={<Empty icon="library" title="Pieces are not known yet">{i().state === 'found' ? 'They are known once you fetch it.' : 'They are known as soon as a peer has sent the metadata.'}</Empty>}>
            <Show when={have()} fallback={<Empty icon="library" title="Not looked at while it is paused">Which pieces are here is seen when you go on.</Empty>}>{bits => <PieceMap item={{ ...i(), have: bits() }} />}</Show>
          </Show>
        </Card>
        <Card title="Speed"><RateChart points={app.library.rates(i().infoHash)} name={nameOf(i())} /></Card>
      </div>
      <Peers item={i()} />
      <Files item={i()} />
      <Banned view={props.view} />
    </div>
  )
}

/** Of a set for which nobody is linked. */
function idleWords (item: LibraryItem): string {
  if (item.state === 'found') return 'Peers are looked for once it is fetched.'
  if (item.state === 'paused') return isWhole(item) ? 'Peers are looked for once it is shared again.' : 'Peers are looked for once you go on.'
  if (item.state === 'checking') return 'Peers are looked for once what is here has been checked.'
  return item.state === 'failed' ? 'Peers are looked for once you try again.' : 'Peers are being looked for.'
}

function Peers (props: { item: LibraryItem }): JSX.Element {
  const sorted = createMemo(() => [...props.item.peers].sort((a, b) => b.downPerSecond + b.upPerSecond - a.downPerSecond - a.upPerSecond || b.down + b.up - a.down - a.up || b.has - a.has))
  const sum = (of: (p: SwarmPeerView) => number): number => props.item.peers.reduce((n, p) => n + of(p), 0)
  return (
    <Card title="Peers" aside={<span class="quiet" data-testid="set-receipts">receipts: {bytes(sum(p => p.receiptsIn))} for this tab, {bytes(sum(p => p.receiptsOut))} by it</span>} class="swarm">
      <Show when={sorted().length > 0} fallback={<Empty icon="network" title="Nobody is linked">{props.item.state === 'complete' ? 'Send someone the magnet link, or keep this tab open until somebody asks.' : idleWords(props.item)}</Empty>}>
        <div class="table-scroll table-tall" tabIndex={0} role="region" aria-label="Peers of this set">
          <table class="table" data-testid="swarm-table">
            <thead><tr>
              <th scope="col">Peer</th><th scope="col">Through</th><th scope="col" class="num">Has</th><th scope="col" class="num">Received</th><th scope="col" class="num">Sent</th>
              <th scope="col" class="num" title="Bytes for which it has signed receipts to this tab">It signed</th><th scope="col" class="num" title="Bytes for which this tab has signed receipts to it">You signed</th><th scope="col" title="Pieces by lot that it has shown to have, of those it was asked for">Checked</th><th scope="col">Served</th>
            </tr></thead>
            <tbody>
              <For each={sorted().slice(0, PEERS_SHOWN)}>{p => (
                <tr data-testid="swarm-row">
                  <td><Show when={p.peer} fallback={<span class="quiet">plain client</span>}>{id => <code title={id()}>{shortId(id(), 4, 8)}</code>}</Show></td>
                  <td>{p.via === 'mesh' ? 'mesh' : 'tracker'}</td>
                  <td class="num">{p.has >= 1 ? 'all' : percent(p.has, 0)}</td>
                  <td class="num">{bytes(p.down)}<small class="cell-rate">{p.downPerSecond > 0 ? rate(p.downPerSecond) : ''}</small></td>
                  <td class="num">{bytes(p.up)}<small class="cell-rate">{p.upPerSecond > 0 ? rate(p.upPerSecond) : ''}</small></td>
                  <td class="num">{p.peer === undefined ? '–' : bytes(p.receiptsIn)}</td>
                  <td class="num">{p.peer === undefined ? '–' : bytes(p.receiptsOut)}</td>
                  <td><Checked peer={p} /></td>
                  <td><Show when={p.has < 1} fallback={<span class="quiet" title="It needs nothing: it has all of it">–</span>}><Badge tone={p.choked ? 'warn' : 'good'} tip={p.choked ? 'Not now: it gave too little, or others come first.' : undefined}>{p.choked ? 'waits' : 'yes'}</Badge></Show></td>
                </tr>
              )}</For>
            </tbody>
          </table>
        </div>
        <Show when={sorted().length > PEERS_SHOWN}><p class="quiet">and {plural(sorted().length - PEERS_SHOWN, 'more peer')}</p></Show>
      </Show>
    </Card>
  )
}

function Checked (props: { peer: SwarmPeerView }): JSX.Element {
  return (
    <Show when={props.peer.hosting !== undefined && props.peer.hosting.tried + props.peer.hosting.unproven > 0 && props.peer.hosting} fallback={<span class="quiet" title="Not asked for a piece by lot so far">–</span>}>{h => (
      <Show when={h().unproven > 0} fallback={`${count(h().passed)} of ${count(h().tried)}`}><Badge tone="bad" tip={`It says to have all of it and did not show it: ${count(h().passed)} of ${count(h().tried)} checks passed. It is asked last.`}>unproven</Badge></Show>
    )}</Show>
  )
}

function Files (props: { item: LibraryItem }): JSX.Element {
  const save = createSaver()
  const [busy, setBusy] = createSignal<string>()
  const have = createMemo(() => piecesHere(props.item))
  const shares = createMemo(() => { const bits = have(); return bits === undefined ? [] : fileShares({ ...props.item, have: bits }) })
  /** A set that is not shared is not open: its files are saved once it is again. */
  const whole = (at: number): boolean => props.item.state !== 'paused' && shares()[at] === 1
  const saveOne = async (path: string): Promise<void> => { setBusy(path); await save(props.item, path); setBusy(undefined) }
  const saveAll = async (): Promise<void> => {
    // It may be removed while its files are being read.
    const { item } = props
    for (const { path } of item.files) {
      setBusy(path)
      if (!await save(item, path)) break
    }
    setBusy(undefined)
  }
  const all = (): boolean => props.item.state !== 'paused' && props.item.files.length > 1 && shares().every(s => s === 1)
  return (
    <Show when={props.item.files.length > 0}>
      <Card title={kindOf(props.item) === 'file' && props.item.files.length === 1 ? 'File' : 'Files'} aside={<><span class="quiet">{count(props.item.files.length)}</span><Show when={all()}><Button small icon="download" disabled={busy() !== undefined} data-testid="set-save-all" onClick={() => { void saveAll() }}>Save all</Button></Show></>}>
        <ul class="files">
          <For each={props.item.files.slice(0, FILES_SHOWN)}>{(f, at) => (
            <li data-testid="set-file">
              <span class="file-path">{plainText(f.path)}</span>
              <small>{bytes(f.bytes)}</small>
              <Show when={whole(at())} fallback={<Show when={shares()[at()] !== undefined}><span class="file-share"><Progress value={shares()[at()]} label={`Here of ${plainText(f.path)}`} /><small>{percent(shares()[at()], 0)}</small></span></Show>}>
                <Button small icon="download" busy={busy() === f.path} disabled={busy() !== undefined} aria-label={`Save ${plainText(f.path)}`} data-testid="set-file-save" onClick={() => { void saveOne(f.path) }}>Save</Button>
              </Show>
            </li>
          )}</For>
        </ul>
        <Show when={props.item.state === 'paused' && isWhole(props.item)}><p class="quiet">They can be saved once the set is shared again.</p></Show>
        <Show when={props.item.files.length > FILES_SHOWN}><p class="quiet">and {plural(props.item.files.length - FILES_SHOWN, 'more file')}</p></Show>
      </Card>
    </Show>
  )
}

function Banned (props: { view: LibraryView }): JSX.Element {
  return (
    <Show when={props.view.banned.length > 0}>
      <Card title="Shut out" aside={<span class="quiet">of every set, by this tab</span>} testid="set-banned">
        <ul class="bans">
          <For each={props.view.banned.slice(0, BANS_SHOWN)}>{b => <li data-testid="set-ban"><Badge tone="bad">banned</Badge><code title={b.peer}>{shortId(b.peer, 4, 8)}</code><span>{plainText(b.reason)}</span></li>}</For>
        </ul>
        <Show when={props.view.banned.length > BANS_SHOWN}><p class="quiet">and {plural(props.view.banned.length - BANS_SHOWN, 'more peer')}</p></Show>
      </Card>
    </Show>
  )
}

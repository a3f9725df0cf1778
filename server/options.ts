/** The server's flags. */
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { parseMagnet } from '../src/core/torrent/magnet.ts'
import type { InfoHash } from '../src/ports/swarm.ts'

export interface IceServer { readonly urls: string, readonly username?: string, readonly credential?: string }

/** Torrents bridged at once, named and unnamed. */
export const MAX_BRIDGED = 64

export interface HybridOptions {
  /** Infohashes that the operator named. */
  readonly torrents: readonly InfoHash[]
  /** Any torrent that classic clients announce and a tab follows. */
  readonly open: boolean
  /** TCP; 0: any. */
  readonly port: number
  /** IP under which classic clients reach that port; undefined: the one they reached the tracker at. */
  readonly address?: string
  readonly cacheBytes: number
  /** Bytes per second each way; 0: no limit. */
  readonly rate: number
}

export interface ServerOptions {
  /** Undefined: DEFAULT_PORT or the next free one. */
  readonly port?: number
  readonly host: string
  /** Origin under which the world sees this server, where a proxy stands before it. */
  readonly publicUrl?: URL
  /** Other servers' multiaddrs, told to tabs beside our own. */
  readonly bootstraps: readonly string[]
  readonly iceServers: readonly IceServer[]
  readonly network: 'main' | 'test'
  readonly dataDir: string
  /** Undefined: relay only. */
  readonly dist?: string
  readonly maxConnections: number
  /** Sockets of one address, at the relay and at the tracker each. */
  readonly maxPerAddress: number
  /** Undefined: no bridge to classic BitTorrent clients. */
  readonly hybrid?: HybridOptions
}

export const DEFAULT_PORT = 8080
/** Ports tried after the default one. */
export const PORT_TRIES = 20

/**
 * A tab has one socket at the relay and one at the tracker. An eighth of the places is a school of 125 behind one
 * address where there are 1000, and fewer than eight addresses never hold them all; a household finds room on a small server.
 */
const ADDRESSES_TO_FILL = 8
const LEAST_PER_ADDRESS = 16

/** What BitTorrent clients are known by. */
const DEFAULT_HYBRID_PORT = 6881
const DEFAULT_HYBRID_CACHE_MB = 4_000
const DEFAULT_HYBRID_RATE_MB = 20

export const USAGE = `npm start -- [options]        or, with a built page: npx tsx server/main.ts [options]

  --port N             listen on this port or fail (default: ${DEFAULT_PORT}, or the next free one)
  --host ADDR          listen on this address (default: 0.0.0.0, every interface)
  --public-url URL     what tabs are told, where a reverse proxy stands in front (https://example.org)
  --bootstrap ADDR     multiaddr of another server, ending in /p2p/<id>; repeatable
  --stun HOST[:PORT]   STUN server for tabs behind NAT; repeatable
  --turn USER:PASS@HOST:PORT
                       TURN server for tabs that no direct link can reach; repeatable
  --network main|test  which network the page joins (default: main)
  --data-dir DIR       where the relay's key is kept (default: server/data)
  --dist DIR           the built page (default: dist)
  --relay-only         serve no page
  --max-connections N  tabs at once (default: 1000)
  --max-per-address N  of them behind one address (default: an eighth of those, at least ${LEAST_PER_ADDRESS})
  --hybrid             bridge torrents between tabs and classic BitTorrent clients, over TCP
  --hybrid-torrent X   infohash or magnet link of one that is bridged; repeatable
  --hybrid-open        bridge any torrent that a classic client announces here and a tab follows
  --hybrid-port N      TCP port of the BitTorrent wire (default: ${DEFAULT_HYBRID_PORT})
  --hybrid-address IP  where classic clients reach that port, behind a proxy or NAT
  --hybrid-cache MB    disk for pieces, under the data folder (default: ${DEFAULT_HYBRID_CACHE_MB})
  --hybrid-rate MB     per second and each way at most, 0 for any (default: ${DEFAULT_HYBRID_RATE_MB})
  --help`

export type ParsedOptions = { readonly ok: true, readonly value: ServerOptions } | { readonly ok: false, readonly help: boolean, readonly error: string }

class BadFlag extends Error {}

function whole (flag: string, text: string, low: number, high: number): number {
  const n = Number(text)
  if (!/^\d+$/.test(text) || n < low || n > high) throw new BadFlag(`--${flag}: a whole number from ${low} to ${high}, not "${text}"`)
  return n
}

function publicUrl (text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') throw new BadFlag(`--public-url: an http or https address without a path, not "${text}"`)
  return url
}

function stun (text: string): IceServer {
  const target = text.replace(/^stuns?:/, '')
  if (!/^([^\s@/:]+|\[[\da-fA-F:.]+\])(:\d{1,5})?$/.test(target)) throw new BadFlag(`--stun: HOST or HOST:PORT, not "${text}"`)
  return { urls: /^stuns?:/.test(text) ? text : `stun:${text}` }
}

function turn (text: string): IceServer {
  const at = text.lastIndexOf('@')
  const [user, ...rest] = text.slice(0, Math.max(0, at)).split(':')
  const credential = rest.join(':')
  const target = text.slice(at + 1)
  if (at < 0 || user === '' || credential === '' || !/^(turns?:)?[^\s@/]+$/.test(target)) throw new BadFlag('--turn: USER:PASS@HOST:PORT')
  return { urls: /^turns?:/.test(target) ? target : `turn:${target}`, username: user, credential }
}

function bootstrap (text: string): string {
  if (!/^\/\S+\/p2p\/[1-9A-HJ-NP-Za-km-z]{46,64}$/.test(text)) throw new BadFlag(`--bootstrap: a multiaddr ending in /p2p/<id>, not "${text}"`)
  return text
}

interface HybridFlags {
  readonly 'hybrid'?: boolean
  readonly 'hybrid-torrent'?: readonly string[]
  readonly 'hybrid-open'?: boolean
  readonly 'hybrid-port'?: string
  readonly 'hybrid-address'?: string
  readonly 'hybrid-cache'?: string
  readonly 'hybrid-rate'?: string
}

function hybrid (v: HybridFlags): HybridOptions | undefined {
  if (v.hybrid !== true) {
    const stray = Object.entries(v).find(([flag, value]) => flag.startsWith('hybrid-') && value !== undefined)
    if (stray !== undefined) throw new BadFlag(`--${stray[0]} means nothing without --hybrid`)
    return undefined
  }
  const torrents = (v['hybrid-torrent'] ?? []).map(text => {
    const magnet = parseMagnet(text)
    if (magnet === undefined) throw new BadFlag(`--hybrid-torrent: an infohash of 40 hex digits or a magnet link, not "${text}"`)
    return magnet.infoHash
  })
  const open = v['hybrid-open'] === true
  if (!open && torrents.length === 0) throw new BadFlag('--hybrid: name a torrent with --hybrid-torrent, or pass --hybrid-open')
  if (torrents.length > MAX_BRIDGED) throw new BadFlag(`--hybrid-torrent: at most ${MAX_BRIDGED}`)
  const address = v['hybrid-address']
  if (address !== undefined && isIP(address) !== 4) throw new BadFlag(`--hybrid-address: an IPv4 address, not "${address}"`)
  const MB = 1_000_000
  return {
    torrents: [...new Set(torrents)],
    open,
    port: whole('hybrid-port', v['hybrid-port'] ?? String(DEFAULT_HYBRID_PORT), 0, 65535),
    address,
    cacheBytes: whole('hybrid-cache', v['hybrid-cache'] ?? String(DEFAULT_HYBRID_CACHE_MB), 1, 10_000_000) * MB,
    rate: whole('hybrid-rate', v['hybrid-rate'] ?? String(DEFAULT_HYBRID_RATE_MB), 0, 10_000) * MB
  }
}

export function parseOptions (argv: readonly string[]): ParsedOptions {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string' },
        host: { type: 'string', default: '0.0.0.0' },
        'public-url': { type: 'string' },
        bootstrap: { type: 'string', multiple: true, default: [] },
        stun: { type: 'string', multiple: true, default: [] },
        turn: { type: 'string', multiple: true, default: [] },
        network: { type: 'string', default: 'main' },
        'data-dir': { type: 'string', default: 'server/data' },
        dist: { type: 'string', default: 'dist' },
        'relay-only': { type: 'boolean', default: false },
        'max-connections': { type: 'string', default: '1000' },
        'max-per-address': { type: 'string' },
        hybrid: { type: 'boolean' },
        'hybrid-torrent': { type: 'string', multiple: true },
        'hybrid-open': { type: 'boolean' },
        'hybrid-port': { type: 'string' },
        'hybrid-address': { type: 'string' },
        'hybrid-cache': { type: 'string' },
        'hybrid-rate': { type: 'string' },
        help: { type: 'boolean', default: false }
      }
    })
    if (values.help) return { ok: false, help: true, error: USAGE }
    if (values.network !== 'main' && values.network !== 'test') throw new BadFlag(`--network: main or test, not "${values.network}"`)
    if (!/^[\w.:%-]+$/.test(values.host)) throw new BadFlag(`--host: an address or a name of this machine, not "${values.host}"`)
    const maxConnections = whole('max-connections', values['max-connections'], 2, 20_000)
    const perAddress = values['max-per-address'] ?? String(Math.max(LEAST_PER_ADDRESS, Math.ceil(maxConnections / ADDRESSES_TO_FILL)))
    return {
      ok: true,
      value: {
        port: values.port === undefined ? undefined : whole('port', values.port, 0, 65535),
        host: values.host,
        publicUrl: values['public-url'] === undefined ? undefined : publicUrl(values['public-url']),
        bootstraps: values.bootstrap.map(bootstrap),
        iceServers: [...values.stun.map(stun), ...values.turn.map(turn)],
        network: values.network,
        dataDir: values['data-dir'],
        dist: values['relay-only'] ? undefined : values.dist,
        maxConnections,
        maxPerAddress: whole('max-per-address', perAddress, 1, 20_000),
        hybrid: hybrid(values)
      }
    }
  } catch (e) {
    // parseArgs says in its message which flag it does not know.
    if (e instanceof BadFlag || (e instanceof TypeError && 'code' in e)) return { ok: false, help: false, error: e.message }
    throw e
  }
}

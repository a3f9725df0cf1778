/** The server's flags. */
import { parseArgs } from 'node:util'

export interface IceServer { readonly urls: string, readonly username?: string, readonly credential?: string }

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
}

export const DEFAULT_PORT = 8080
/** Ports tried after the default one. */
export const PORT_TRIES = 20

export const USAGE = `npm start -- [options]        or, with a built page: npx tsx server/main.ts [options]

  --port N             listen on this port or fail (default: ${DEFAULT_PORT}, or the next free one)
  --host ADDR          listen on this address (default: 0.0.0.0, every interface)
  --public-url URL     what tabs are told, where a reverse proxy stands in front (https://example.org)
  --bootstrap ADDR     multiaddr of another server, ending in /p2p/<id>; repeatable
  --stun HOST:PORT     STUN server for tabs behind NAT; repeatable
  --turn USER:PASS@HOST:PORT
                       TURN server for tabs that no direct link can reach; repeatable
  --network main|test  which network the page joins (default: main)
  --data-dir DIR       where the relay's key is kept (default: server/data)
  --dist DIR           the built page (default: dist)
  --relay-only         serve no page
  --max-connections N  tabs at once (default: 1000)
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
  if (!/^[^\s@/]+(:\d+)?$/.test(target)) throw new BadFlag(`--stun: HOST:PORT, not "${text}"`)
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
        help: { type: 'boolean', default: false }
      }
    })
    if (values.help) return { ok: false, help: true, error: USAGE }
    if (values.network !== 'main' && values.network !== 'test') throw new BadFlag(`--network: main or test, not "${values.network}"`)
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
        maxConnections: whole('max-connections', values['max-connections'], 2, 20_000)
      }
    }
  } catch (e) {
    // parseArgs says in its message which flag it does not know.
    if (e instanceof BadFlag || (e instanceof TypeError && 'code' in e)) return { ok: false, help: false, error: e.message }
    throw e
  }
}

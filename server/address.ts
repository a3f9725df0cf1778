/** Addresses: under which a tab reaches this server, from how it reached the page; and whom a request comes from. */
import type { IncomingMessage } from 'node:http'
import { isIP, isIPv4, isIPv6 } from 'node:net'

/** Undefined where the Host header is not one. */
export function originOf (host: string | undefined, forwardedProto: string | undefined): URL | undefined {
  if (host === undefined || !/^([a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(:\d{1,5})?$/.test(host)) return undefined
  const text = `${forwardedProto === 'https' ? 'https' : 'http'}://${host}`
  return URL.canParse(text) ? new URL(text) : undefined
}

export function webSocketMultiaddr (origin: URL, peer: string): string {
  const secure = origin.protocol === 'https:'
  const name = origin.hostname.replace(/^\[|\]$/g, '')
  const kind = isIPv4(name) ? 'ip4' : isIPv6(name) ? 'ip6' : 'dns'
  const port = origin.port === '' ? (secure ? '443' : '80') : origin.port
  return `/${kind}/${name}/tcp/${port}${secure ? '/tls' : ''}/ws/p2p/${peer}`
}

const withoutMapping = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** Some proxies name the port, too (Azure Application Gateway, IIS), and put brackets around an address of IPv6. */
const withoutPort = (said: string): string => /^(\d+(?:\.\d+){3}):\d{1,5}$/.exec(said)?.[1] ?? /^\[([^\]]*)\](?::\d{1,5})?$/.exec(said)?.[1] ?? said

/**
 * The address of whoever asks; undefined where it is not known. A proxy adds whom it hears to the end of a list,
 * and what stands before that is the asker's own word.
 */
export function addressOf (request: IncomingMessage, behindProxy: boolean): string | undefined {
  const forwarded = request.headers['x-forwarded-for']
  const said = !behindProxy ? request.socket.remoteAddress : typeof forwarded === 'string' ? forwarded.split(',').at(-1)?.trim() : undefined
  const address = withoutMapping(behindProxy ? withoutPort(said ?? '') : said ?? '')
  return isIP(address) === 0 ? undefined : address
}

/** What is one stranger where strangers are counted: an address of IPv4, and of IPv6 its first 64 bits, all of which whoever has one address has. */
export function networkOf (address: string): string {
  const plain = withoutMapping(address.replace(/%.*$/, ''))
  if (!isIPv6(plain)) return plain
  const [head, tail] = plain.replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split('::')
  const parts = (text: string | undefined): string[] => text === undefined || text === '' ? [] : text.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - parts(head).length - parts(tail).length)
  return [...parts(head), ...Array.from({ length: zeros }, () => '0'), ...parts(tail)].slice(0, 4).map(p => Number.parseInt(p, 16).toString(16)).join(':')
}

/**
 * The network that a socket counts for; undefined: none, for it comes from this machine itself, where all tabs
 * of a test or of a household's only computer are. Where the proxy does not say who asks, the proxy is who does.
 */
export function countedNetworkOf (request: IncomingMessage, behindProxy: boolean): string | undefined {
  const forwarded = behindProxy ? addressOf(request, true) : undefined
  const address = forwarded ?? addressOf(request, false)
  if (address === undefined) return ''
  return forwarded === undefined && (address === '::1' || address.startsWith('127.')) ? undefined : networkOf(address)
}

/** How many places each network has taken, of those it may. What is counted for no network always finds one. */
export class PlacesPerNetwork {
  readonly #max: number
  readonly #taken = new Map<string, number>()

  constructor (max: number) { this.#max = max }

  hasRoom (network: string | undefined): boolean { return network === undefined || (this.#taken.get(network) ?? 0) < this.#max }

  /** False: it has all that it may have. Whoever took one gives it back. */
  take (network: string | undefined): boolean {
    if (!this.hasRoom(network)) return false
    if (network !== undefined) this.#taken.set(network, (this.#taken.get(network) ?? 0) + 1)
    return true
  }

  giveBack (network: string | undefined): void {
    if (network === undefined) return
    const left = (this.#taken.get(network) ?? 0) - 1
    if (left > 0) this.#taken.set(network, left)
    else this.#taken.delete(network)
  }
}

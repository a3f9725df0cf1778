/** The multiaddr under which a tab reaches this server, from how the tab reached the page. */
import { isIPv4, isIPv6 } from 'node:net'

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

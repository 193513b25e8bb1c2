/**
 * Detects addresses of this machine and of its network. A stranger cannot reach them, so an outside server must not
 * redirect us there.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

const LOCAL = new BlockList()
for (const [net, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12],
  ['192.168.0.0', 16]
] as const) LOCAL.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of [['::', 127], ['fc00::', 7], ['fe80::', 10]] as const) LOCAL.addSubnet(net, prefix, 'ipv6')

/** Whether an IP address is a loopback address, or belongs to a private or link-local network. */
export function isLocalAddress (address: string): boolean {
  return LOCAL.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/**
 * The IP addresses of a URL's host: the host itself, or those that its name resolves to; none if it does not resolve.
 */
export async function addressesOf ({ hostname }: URL): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return [host]
  return lookup(host, { all: true }).then(found => found.map(({ address }) => address), () => [])
}

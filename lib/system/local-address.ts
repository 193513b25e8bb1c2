/**
 * Which addresses are of this machine or of the network around it, where a stranger cannot send anything himself: a
 * server outside must not send us there instead.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

const LOCAL = new BlockList()
for (const [net, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12],
  ['192.168.0.0', 16]
] as const) LOCAL.addSubnet(net, prefix, 'ipv4')
for (const [net, prefix] of [['::', 127], ['fc00::', 7], ['fe80::', 10]] as const) LOCAL.addSubnet(net, prefix, 'ipv6')

/** Whether an IP address is this machine's loopback, or of a private or link-local network. */
export function isLocalAddress (address: string): boolean {
  return LOCAL.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** Addresses of a URL's host: itself, or what its name stands for; none if that is not known. */
export async function addressesOf ({ hostname }: URL): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) return [host]
  return lookup(host, { all: true }).then(found => found.map(({ address }) => address), () => [])
}

/**
 * As whom a peer counts: by what it may not come back, and which of two connections goes. Nobody can prove who they
 * are, so it is the peer id together with the address. Pure.
 */
import type { Wire } from '../base/wire.ts'

/** An address as far as peers are told apart by it: of IPv6 the network of 64 bits, which is one customer's. */
export function hostOf (address: string | undefined): string {
  const host = (address ?? '').replace(/^\[|\]$/g, '').replace(/^::ffff:(?=\d+\.)/, '')
  if (!host.includes(':') || host === '::1') return host
  const [head = [], tail] = host.split('::').map(part => part.split(':'))
  const groups =
    tail === undefined ? head : [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail]
  return `${groups.slice(0, 4).map(group => Number.parseInt(group || '0', 16).toString(16)).join(':')}::/64`
}

/** As whom strikes and bans count a peer. */
export function identityOf ({ peerId, remoteAddress }: Wire, host = hostOf(remoteAddress)): string {
  return `${peerId}@${host}`
}

/** On this machine: whoever is here has other means, and any number of peers may share the address. */
export function isLocal (host: string): boolean {
  return host === '127.0.0.1' || host === '::1'
}

/** Whether we called the peer; undefined for WebRTC, where nobody is called. */
export function openedByUs (wire: Wire): boolean | undefined {
  if (wire.type.endsWith('Outgoing')) return true
  return wire.type.endsWith('Incoming') ? false : undefined
}

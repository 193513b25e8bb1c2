/**
 * The identity of a peer for bans, and for the choice between two connections. No peer can prove who it is, so its
 * identity is the peer id together with the address. Pure.
 */
import type { Wire } from '../base/wire.ts'

/**
 * The part of an address that distinguishes peers. For IPv6 it is the network of 64 bits, which belongs to one
 * customer.
 */
export function hostOf (address: string | undefined): string {
  const host = (address ?? '').replace(/^\[|\]$/g, '').replace(/^::ffff:(?=\d+\.)/, '')
  if (!host.includes(':') || host === '::1') return host
  const [head = [], tail] = host.split('::').map(part => part.split(':'))
  const groups =
    tail === undefined ? head : [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail]
  return `${groups.slice(0, 4).map(group => Number.parseInt(group || '0', 16).toString(16)).join(':')}::/64`
}

/** The identity by which strikes and bans count a peer. */
export function identityOf ({ peerId, remoteAddress }: Wire, host = hostOf(remoteAddress)): string {
  return `${peerId}@${host}`
}

/**
 * True for an address of this machine: an attacker here has other means, and any number of peers may share the address.
 */
export function isLocal (host: string): boolean {
  return host === '127.0.0.1' || host === '::1'
}

/** Whether we opened the connection; undefined for WebRTC, which has no such direction. */
export function openedByUs (wire: Wire): boolean | undefined {
  if (wire.type.endsWith('Outgoing')) return true
  return wire.type.endsWith('Incoming') ? false : undefined
}

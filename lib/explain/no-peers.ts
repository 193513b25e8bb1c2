/** Why no peer is connected: what each source has answered, and who could not be reached. Pure. */
import { plural } from '../base/quantities.ts'
import type { PeerState, SourceState } from './situation.ts'

/** Addresses that are listed. */
const MAX_CALLS = 8

const NAMES: Readonly<Record<SourceState['kind'], string>> = {
  tracker: 'the tracker', dht: 'the DHT', lsd: 'the local network (LSD)', pex: 'other peers (PEX)', named: 'you or the link'
}

/** @param effect what follows from it, without a full stop */
export function noPeers (peers: PeerState, effect: string): { code: 'no-peers' | 'unreachable', sentence: string, isStuck: boolean } {
  const { sources, failed } = peers
  const [call] = failed
  if (call !== undefined) {
    const more = failed.length === 1 ? '' : `, and ${plural(failed.length - 1, 'other address', 'other addresses')} cannot be reached either`
    return {
      code: 'unreachable',
      isStuck: true,
      sentence: `${effect}, because no known peer can be reached: ${call.address} (from ${NAMES[call.source]}) ${call.reason}${more}. Check address and port, and that a peer runs there and its port is open.`
    }
  }
  const asked = sources.filter(({ state }) => state !== 'off')
  if (asked.length === 0) {
    return {
      code: 'no-peers',
      isStuck: true,
      sentence: `${effect}, because nobody is asked for peers: the DHT, trackers and the local network are off, and no peer is named. Name one, or a tracker, or turn the DHT on.`
    }
  }
  const named = asked.reduce((sum, { peers: count }) => sum + count, 0)
  const said = asked.map(briefly).join(', ')
  return {
    code: 'no-peers',
    isStuck: false,
    sentence: named > 0
      ? `${effect}, because no peer is connected: ${plural(named, 'address is', 'addresses are')} known and being called (${said}).`
      : `${effect}, because no peer is known: ${said}. Start a peer, or name one.`
  }
}

function briefly (source: SourceState): string {
  const { kind, name, state, peers, nodes, message } = source
  const who = name === undefined ? NAMES[kind] : `${NAMES[kind]} ${name}`
  if (state === 'failed') return `${who} failed${message === undefined ? '' : ` (${message})`}`
  if (kind === 'dht' && nodes === 0) return `${who} knows no other node`
  if (state === 'asked') return `${who} has not answered`
  return `${who} named ${peers === 0 ? 'nobody' : plural(peers, 'peer')}`
}

/** One line for each source, and for each address that was called in vain. */
export function sourceLines ({ sources, failed, port, incoming }: PeerState): string[] {
  return [
    ...sources.map(source => {
      const nodes = source.kind === 'dht' && (source.nodes ?? 0) > 0 ? ` (${plural(source.nodes!, 'node')} known)` : ''
      return source.state === 'off' ? `${nameOf(source)}: not asked` : `${briefly(source)}${nodes}`
    }),
    ...failed.slice(0, MAX_CALLS).map(({ address, reason }) => `${address} ${reason}`),
    portLine(port, incoming)
  ].map(line => line.charAt(0).toUpperCase() + line.slice(1))
}

function nameOf ({ kind, name }: SourceState): string { return name === undefined ? NAMES[kind] : `${NAMES[kind]} ${name}` }

/** Whether the port is open can be known only by a connection from outside. */
function portLine (port: number, incoming: number): string {
  if (port === 0) return 'this client listens on no port, so nobody can call it'
  if (incoming > 0) return `port ${port} is open: ${plural(incoming, 'peer has', 'peers have')} called this client`
  return `nobody has called port ${port} of this client yet: if it stays so, open the port in the router and the firewall (TCP and UDP)`
}

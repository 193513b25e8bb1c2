/**
 * Magnet links of tasks (BEP 9). Pure.
 */
import { quote } from './names.ts'
import { pinsOf } from './pins.ts'
import { taskError } from './types.ts'
import type { Task } from './types.ts'

const PEER = /^(?:\[[0-9a-f:.]+\]|[0-9a-z.-]+):(\d{1,5})$/i

/**
 * Makes a task's magnet link: info-hash, name, trackers, signers (`x.pk`) with their signatures (`x.sig`), and peers
 * (`x.pe`, each 'host:port' or '[ipv6]:port'). The link of a legacy task does not contain its commands, which are
 * outside the info dictionary. Throws BW_ERR_TASK_OPTIONS for a malformed peer. BEP 9.
 */
export function magnetOf (task: Task, opts: { peers?: readonly string[] } = {}): string {
  return [
    `magnet:?xt=urn:btih:${task.infoHash}`,
    `dn=${encodeURIComponent(task.name)}`,
    ...task.announce.map(url => `tr=${encodeURIComponent(url)}`),
    ...pinsOf(task),
    // Not percent-encoded: peers contain nothing that needs it, and WebTorrent does not decode them.
    ...(opts.peers ?? []).map(peer => `x.pe=${checkPeer(peer)}`)
  ].join('&')
}

function checkPeer (peer: string): string {
  const port = Number(PEER.exec(peer)?.[1] ?? 0)
  if (port >= 1 && port <= 65_535) return peer
  throw taskError(
    'BW_ERR_TASK_OPTIONS', `The peer ${quote(peer)} is not of the form host:port or [ipv6]:port.`, 'usage'
  )
}

/** A tracker and a few peers, each a process of its own, that know nothing but the task and the tracker's address. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Processes } from './processes.ts'

const BITWORKER = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
// Nothing leaves this machine.
const LOOPBACK = ['--no-dht', '--no-lsd', '--no-nat']

/** A peer, and what it did. */
export interface Peer {
  readonly name: string
  /** indices of the pieces it computed because nobody had them */
  readonly computed: Set<number>
  /** indices of the pieces it downloaded */
  readonly downloaded: Set<number>
  /** how often it computed a piece that it had, to check the result */
  checked: number
  /** the piece it computes now */
  computing: number | null
  /** paths of the finished files; null until it has them all */
  files: string[] | null
}

/** A line on what the peer did. */
export function summaryOf ({ name, computed, downloaded, checked }: Peer): string {
  const checks = checked === 0 ? '' : `, and computed ${checked} of them again as a check`
  return `${name} computed ${computed.size} pieces and downloaded ${downloaded.size}${checks}`
}

/** What is to be done. */
export interface Work {
  taskFile: string
  /** gets a folder for each peer: peer-1 … */
  dir: string
  peers: number
  /** further flags of `bitworker run`, for all peers */
  flags?: string[]
  /** the same, for the first peer alone: who made the task */
  authorFlags?: string[]
  /** called after every change */
  onChange: (peers: Peer[]) => void
}

interface Event {
  event: string
  tier: string
  problems: string[]
  piece: number
  announce: string[]
  files: Array<{ path: string }>
}

/** Resolves when every peer has the finished files. The peers go on seeding; `processes.stop()` ends them. */
export async function runPeers (
  processes: Processes, { taskFile, dir, peers: count, flags = [], authorFlags = [], onChange }: Work
): Promise<Peer[]> {
  const announce = await startTracker(processes)
  const peers = Array.from({ length: count }, (_, i): Peer => ({
    name: `peer-${i + 1}`, computed: new Set(), downloaded: new Set(), checked: 0, computing: null, files: null
  }))
  const args = ['run', taskFile, '-j', '1', '--yes', '--json', '--announce', announce, ...LOOPBACK, ...flags]
  await new Promise<void>((resolve, reject) => {
    for (const peer of peers) {
      const onEvent = (event: Event): void => {
        if (event.event === 'sandbox' && event.tier === 'none' && !flags.includes('--unsafe-no-sandbox')) {
          reject(processes.problem(peer.name, `no sandbox works here: ${event.problems.join(' ')}`))
        }
        if (event.event === 'stuck') reject(processes.problem(peer.name, 'nothing is left that it could do'))
        follow(peer, event)
        onChange(peers)
        if (peers.every(({ files }) => files !== null)) resolve()
      }
      const out = path.join(dir, peer.name)
      // the first is who made the task; the others have none of its inputs
      const env = peer === peers[0] ? {} : { HOME: out, XDG_STATE_HOME: '', XDG_CACHE_HOME: '' }
      const own = peer === peers[0] ? authorFlags : []
      start(processes, { name: peer.name, args: [...args, ...own, '-o', out], env }, onEvent).catch(reject)
    }
  })
  return peers
}

function startTracker (processes: Processes): Promise<string> {
  const args = ['tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0', '--json']
  return new Promise((resolve, reject) => {
    start(processes, { name: 'tracker', args }, ({ event, announce }) => {
      if (event === 'listening') resolve(announce[0] ?? '')
    }).catch(reject)
  })
}

/** Starts a `bitworker`, which ends only when it fails or is told to. */
async function start (
  processes: Processes,
  { name, args, env = {} }: { name: string, args: string[], env?: Record<string, string> },
  onEvent: (event: Event) => void
): Promise<never> {
  const onLine = (line: string): void => {
    onEvent(JSON.parse(line) as Event)
  }
  await processes.start({ name, command: process.execPath, args: [BITWORKER, ...args], env, onLine })
  throw processes.problem(name, 'it ended before the work was done')
}

function follow (peer: Peer, { event, piece, files }: Event): void {
  if (event === 'computing') peer.computing = piece
  if (event === 'computed') {
    if (peer.computed.has(piece) || peer.downloaded.has(piece)) peer.checked++
    else peer.computed.add(piece)
  }
  if (event === 'downloaded') peer.downloaded.add(piece)
  if (event === 'computed' || event === 'aborted' || event === 'failed') peer.computing = null
  if (event === 'done') peer.files = files.map(file => file.path)
}

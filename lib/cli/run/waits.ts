/** Says what a run waits for that other peers have, since when, and what to do about it: once, then rarely. */
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { JsonOutput } from '../output/json-output.ts'
import { escapeText, formatBytes } from '../output/format.ts'
import type { Screen } from '../output/screen.ts'
import { openChecksOf } from './check-waits.ts'

const TICK_MS = 1_000
/** Nothing has arrived for so long: nobody sends it. */
export const STALLED_MS = 10_000
/** Until it is said again. */
const REPEAT_MS = 3_600_000

/** Something that is waited for. Times are in milliseconds since 1970. */
export interface Wait {
  for: 'input' | 'task' | 'checks' | 'member'
  /** of the input; of a task whose metadata is missing, its info-hash; of checks, what `OpenChecks` says */
  name: string
  /** for checks: how many are left */
  pieces?: number
  since: number
  /** one line: what is waited for, why, and what to do */
  message: string
}

/** Decides what is said, and when. */
export class WaitsTold {
  /** when it was said last */
  #told = new Map<string, number>()

  /** The ones to be said now. */
  due (waits: readonly Wait[], now: number): Wait[] {
    const told = new Map<string, number>()
    const due: Wait[] = []
    for (const wait of waits) {
      if (now - wait.since < STALLED_MS) continue
      const key = `${wait.for} ${wait.name} ${wait.since}`
      const before = this.#told.get(key)
      const isDue = before === undefined || now - before >= REPEAT_MS
      if (isDue) due.push(wait)
      told.set(key, isDue ? now : before)
    }
    this.#told = told
    return due
  }
}

/** The part of `Stages` that is needed here. */
interface EarlierTasks { readonly torrents: Torrent[], readonly lookups: Wait[] }

/** What is waited for now, and has been for a while. @param begun when the run began */
export function waitsOf (torrent: Torrent, stages: EarlierTasks, begun: number): Wait[] {
  const now = Date.now()
  return allWaits(torrent, stages, begun).filter(({ since }) => now - since >= STALLED_MS)
}

function allWaits (torrent: Torrent, stages: EarlierTasks, begun: number): Wait[] {
  return [
    ...metadataWait(torrent, begun), ...stages.lookups, ...[torrent, ...stages.torrents].flatMap(inputWaits),
    ...checkWaits(torrent), ...memberWaits(torrent)
  ]
}

/** Says them until the returned function is called. */
export function tellWaits (torrent: Torrent, stages: EarlierTasks, out: JsonOutput, screen: Screen): () => void {
  const told = new WaitsTold()
  const begun = Date.now()
  const timer = setInterval(() => {
    for (const wait of told.due(allWaits(torrent, stages, begun), Date.now())) {
      out.emit('waiting', wait)
      screen.note(wait.message)
    }
  }, TICK_MS).unref()
  return () => { clearInterval(timer) }
}

function metadataWait ({ metadata, infoHash, numPeers }: Torrent, since: number): Wait[] {
  if (metadata !== null) return []
  const why = numPeers === 0 ? 'no peer was found' : 'no connected peer has sent it'
  return [{
    for: 'task',
    name: infoHash,
    since,
    message: `Waiting for the metadata of the task since ${clock(since)}: ${why}. ${NAME_PEER}`
  }]
}

/** Since when each torrent has had strangers only. */
const strangers = new WeakMap<Torrent, number>()

/** Somebody trusted should take part, and nobody who is connected is one. */
function memberWaits (torrent: Torrent): Wait[] {
  const { name, numPeers, done } = torrent
  const message = memberMessage(torrent)
  const since = sinceWhen(strangers, torrent, message !== null && numPeers > 0 && !done)
  return message === null || since === null ? [] : [{ for: 'member', name, since, message }]
}

/** What follows if nobody trusted takes part; null: somebody does, or nobody is expected to. */
export function memberMessage ({ verification }: Pick<Torrent, 'verification'>): string | null {
  if (verification?.isMemberExpected !== true || verification.members > 0 || verification.policy === 'all') return null
  const [kind] = verification.policy.split('=')
  const instead = kind === 'trust'
    ? 'Nothing that others computed is used until one does. Start one with --member, or pass --verify off to use everything unchecked.'
    : kind === 'audit' ? 'Results of others are checked by lot only.' : 'Results of others are only compared with each other.'
  return `Nobody you trust takes part: no connected peer is a member of a trusted key. ${instead}`
}

/** Remembers when something began. Null: it is not so. */
function sinceWhen (begun: WeakMap<Torrent, number>, torrent: Torrent, isSo: boolean): number | null {
  if (!isSo) {
    begun.delete(torrent)
    return null
  }
  const since = begun.get(torrent) ?? Date.now()
  begun.set(torrent, since)
  return since
}

/** The metadata of an earlier task. */
export function lookupWait (infoHash: string, reader: string, since: number): Wait {
  return {
    for: 'task',
    name: infoHash,
    since,
    message: `Waiting since ${clock(since)} for the metadata of the task ${infoHash}, whose output ${escapeText(reader)} reads: no peer has sent it. ${NAME_PEER}`
  }
}

const NAME_PEER = 'Name a peer that has it with --peer, or start one.'

/** The inputs of a task that are not here, while nothing can be computed without them. */
function inputWaits (torrent: Torrent): Wait[] {
  const { task, inputs, done, destroyed } = torrent
  if (task === null || done || destroyed) return []
  const { missing, running } = torrent.stats()
  if (missing === 0 || running > 0) return []
  return inputs.flatMap(({ name, state, since, have, length, message }) => {
    // how far an earlier task is is told of itself
    const isOutput = task.inputs?.find(input => input.name === name)?.task !== undefined
    if (state !== 'fetching' || since === undefined || isOutput) return []
    const why = message ?? (have === length
      ? 'it is being prepared.'
      : 'no peer sends the rest. Start a peer that has it, or name a copy of it with --input-from.')
    return [{
      for: 'input' as const,
      name,
      since,
      message: `Waiting for the input ${escapeText(name)} since ${clock(since)}, ${formatBytes(have)} of ${formatBytes(length)} are here: ${escapeText(why)}`
    }]
  })
}

/** Since when each torrent has waited for checks. */
const checking = new WeakMap<Torrent, number>()

/** Results that are still to be checked. */
function checkWaits (torrent: Torrent): Wait[] {
  const open = openChecksOf(torrent)
  const since = sinceWhen(checking, torrent, open !== null)
  if (open === null || since === null) return []
  return [{ for: 'checks', name: open.what, since, pieces: open.pieces, message: open.message }]
}

function clock (time: number): string { return new Date(time).toTimeString().slice(0, 8) }

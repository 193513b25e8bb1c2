/** The pieces and peers of a session as they are shown to people. It changes nothing. */
import type { Clock } from '../base/clock.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceState } from '../verification/types.ts'
import type { Attester } from './attesters.ts'

/** The most names of one kind. */
const MAX_NAMES = 16

/**
 * How it stands with a piece. Not stored: `missing` (nobody has or computes it), `waiting` (for its inputs),
 * `announced` (a connected peer has it), `claimed` (a peer computes it), `running` (here), `failed` (given up here),
 * `unwanted` (by the user). Stored: `stored` (nothing is verified), `own` (computed here), `verified` (by the verify
 * command), `accepted`, `disputed` (not accepted yet).
 */
export type PieceStatus =
  | 'missing' | 'waiting' | 'announced' | 'claimed' | 'running' | 'failed' | 'unwanted'
  | 'stored' | 'own' | 'accepted' | 'verified' | 'disputed'

/** A peer says that it computes a piece. */
export interface PieceClaim {
  /** its address if connected, else its peer id */
  peer: string
  /** for how long, milliseconds */
  forMs: number
  /** 0: unknown */
  estimateMs: number
}

/** One piece. Lists have at most 16 members. */
export interface PieceDetails {
  status: PieceStatus
  /** bytes; null: it is not stored */
  size: number | null
  digest: Uint8Array | null
  standing: PieceState | null
  /** it goes before others */
  isUrgent: boolean
  /** claims that are respected */
  claims: PieceClaim[]
  /** connected peers that have it: addresses, or peer ids */
  holders: string[]
  /** their number */
  copies: number
  /** who attests the stored result */
  attesters: Attester[]
}

/** A connected peer of the task. */
export interface PeerDetails {
  peerId: string
  /** pieces that it has */
  held: number
  /** pieces that it says it computes */
  claims: number
  /** right pieces that it has sent */
  delivered: number
}

/** What the overview reads. */
export interface OverviewParts {
  readonly results: ResultTable
  readonly scheduler: Scheduler
  readonly believing: {
    readonly verification: { stateOf (index: number): PieceState } | null
    attestersOf (index: number): Attester[]
  }
  readonly neighbours: Iterable<TaskPeer>
  readonly clock: Clock
}

/** The overview of one session. */
export class Overview {
  readonly #parts: OverviewParts

  constructor (parts: OverviewParts) { this.#parts = parts }

  statusOf (index: number): PieceStatus {
    const { results, scheduler, believing: { verification } } = this.#parts
    if (scheduler.isRunning(index)) return 'running'
    if (results.has(index)) return verification === null ? 'stored' : STORED[verification.stateOf(index)]
    if (!scheduler.isWanted(index)) return 'unwanted'
    if (results.holders(index) > 0) return 'announced'
    if (scheduler.claims.isClaimed(index)) return 'claimed'
    if (scheduler.failures.isFinal(index)) return 'failed'
    return scheduler.isWaiting(index) ? 'waiting' : 'missing'
  }

  /** The number of connected peers that the piece can be downloaded from. */
  copiesOf (index: number): number { return this.#parts.results.holders(index) }

  /** The pieces that other peers compute, as far as they are believed. */
  * claimed (): Generator<number> { for (const [index] of this.#parts.scheduler.claims) yield index }

  detailsOf (index: number): PieceDetails {
    const { results, scheduler, believing, neighbours } = this.#parts
    const own = results.own(index)
    const holders: string[] = []
    for (const { results: theirs, name } of neighbours) {
      if (holders.length < MAX_NAMES && theirs.holds(index)) holders.push(name)
    }
    return {
      status: this.statusOf(index),
      size: own?.size ?? null,
      digest: own?.digest ?? null,
      standing: believing.verification?.stateOf(index) ?? null,
      isUrgent: scheduler.isUrgent(index),
      claims: this.#claimsOf(index),
      holders,
      copies: results.holders(index),
      attesters: believing.attestersOf(index).slice(0, MAX_NAMES)
    }
  }

  peers (): PeerDetails[] {
    return Array.from(this.#parts.neighbours, ({ id, results, holder, ext }) =>
      ({ peerId: id, held: results.held, claims: ext.state.claims.size, delivered: holder.delivered }))
  }

  #claimsOf (index: number): PieceClaim[] {
    const { scheduler, neighbours, clock } = this.#parts
    const names = new Map(Array.from(neighbours, ({ id, name }) => [id, name]))
    return Array.from(scheduler.claims.of(index)).slice(0, MAX_NAMES).map(([peerId, { startedAt, estimateMs }]) =>
      ({ peer: names.get(peerId) ?? peerId, forMs: Math.max(0, clock.now() - startedAt), estimateMs }))
  }
}

const STORED: Record<PieceState, PieceStatus> = {
  missing: 'missing',
  own: 'own',
  verified: 'verified',
  trusted: 'accepted',
  confirmed: 'accepted',
  attested: 'accepted',
  doubtful: 'disputed',
  unattested: 'disputed'
}

/** What a task's torrent reports: the payloads of its events and its statistics. */
import { hexOf } from '../base/digest.ts'
import type { CommandFailure, ErrorCode } from '../base/errors.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import type { Result } from '../results/result.ts'

/** A piece's result. */
export interface PieceResult {
  piece: number
  /** bytes */
  size: number
  /** the SHA-256 digest, in hex */
  sha256: string
}

/** 'computed': a work item here ended with a result. */
export interface ComputedEvent extends PieceResult {
  /** what the command took, in milliseconds */
  ms: number
  /** the last lines it wrote to stderr, control characters stripped */
  stderr: string
}

/** 'failed': a work item or a complete command ended without a result. */
export interface FailedEvent extends CommandFailure {
  /** null: a complete command */
  piece: number | null
  /** index of the file whose complete command failed */
  file?: number
  code: ErrorCode
  /** one line for people */
  message: string
  /** it is not tried again here: other peers may still compute it */
  final: boolean
}

/**
 * 'hopeless': the first pieces all failed alike, and no more are computed here; what others have is still downloaded.
 */
export interface HopelessEvent extends CommandFailure {
  code: 'BW_ERR_HOPELESS'
  /** one line for people */
  message: string
  /** those that failed */
  pieces: number[]
}

/** 'aborted': a work item was ended from here because its result was not needed any more. */
export interface AbortedEvent {
  piece: number
  reason: string
}

/** 'input': how far an input of the task is, at most once a second. */
export interface InputEvent {
  name: string
  /** 'refused': it cannot be had, and nothing is computed that needs it */
  state: 'fetching' | 'ready' | 'refused'
  /** bytes, of all of it */
  length: number
  /** bytes that are here */
  have: number
  /** why it is refused: one line for people */
  message?: string
}

/** 'strike', 'ban': a peer broke the rules. */
export interface MisdeedEvent {
  /** address if known, else peer id */
  peer: string
  reason: string
}

/** The events of a task's torrent that say what happens to its pieces, and to peers that break the rules. */
export interface SessionEvents {
  computing: { piece: number }
  computed: ComputedEvent
  downloaded: PieceResult
  failed: FailedEvent
  hopeless: HopelessEvent
  aborted: AbortedEvent
  /** the complete command of this file (its index) has begun; it ends with 'file', or with 'failed' */
  completing: { file: number }
  input: InputEvent
  /** nobody can be expected to provide these pieces; none: a complete command failed */
  stuck: { pieces: number[] }
  /** during `handOver`: so many connected peers want so many pieces that only this one has */
  leaving: Outstanding
  strike: MisdeedEvent
  ban: MisdeedEvent
}

/** How far a task is, in pieces. */
export interface TaskStats {
  pieces: number
  stored: number
  missing: number
  /** stored pieces that were computed here, or downloaded, since the torrent was added */
  computed: number
  downloaded: number
  /** being computed here, now; at most one a slot */
  running: number
  /** being computed by connected peers, as they say */
  claimed: number
  /** missing here, and expected of connected peers that say they have them */
  expected: number
  /** given up here after several failures */
  failed: number
}

/** The statistics of what is no task, or not yet. */
export function noStats (): TaskStats {
  return {
    pieces: 0, stored: 0, missing: 0, computed: 0, downloaded: 0, running: 0, claimed: 0, expected: 0, failed: 0
  }
}

/** A piece's result as events carry it. */
export function pieceResult (piece: number, { size, digest }: Result): PieceResult {
  return { piece, size, sha256: hexOf(digest) }
}

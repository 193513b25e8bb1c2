/** The public reports of a task's torrent: its events and statistics. */
import { hexOf } from '../base/digest.ts'
import { NO_COST } from '../base/errors.ts'
import type { CommandFailure, ErrorCode, RunCost } from '../base/errors.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import type { Result } from '../results/result.ts'
import type { Hold } from './slots.ts'
import type { CheckedEvent, UncomparingPolicy } from '../verification/types.ts'

export type { Hold }

/** A piece's result. */
export interface PieceResult {
  piece: number
  /** bytes */
  size: number
  /** the SHA-256 digest, in hex */
  sha256: string
}

/** 'computed': a work item on this machine ended with a result. */
export interface ComputedEvent extends PieceResult, RunCost {
  ms: number
  /** the last lines that it wrote to stderr, without control characters */
  stderr: string
}

/** 'downloaded': a piece came from peers. */
export interface DownloadedEvent extends PieceResult {
  /** the addresses of these peers, or their peer ids */
  from: string[]
}

/** 'failed': a work item or a complete command ended without a result. */
export interface FailedEvent extends CommandFailure, RunCost {
  /** null for a complete command */
  piece: number | null
  /** index of the file whose complete command failed */
  file?: number
  code: ErrorCode
  /** one line for users */
  message: string
  /** it is not tried again here; other peers may still compute it */
  final: boolean
}

/** 'peerFailed': a peer says that it gave up a piece, and why. Nothing proves it. */
export interface PeerFailedEvent extends CommandFailure {
  piece: number
  /** its address, or its peer id: one name */
  from: string[]
  code: ErrorCode
  /** one line for users */
  message: string
}

/**
 * 'hopeless': the first pieces all failed in the same way. No more are computed here, but results of other peers are
 * still downloaded.
 */
export interface HopelessEvent extends CommandFailure {
  code: 'BW_ERR_HOPELESS'
  /** one line for users */
  message: string
  /** the pieces that failed */
  pieces: number[]
}

/** 'aborted': this peer ended a work item because its result was no longer needed. */
export interface AbortedEvent {
  piece: number
  reason: string
}

/** 'input': the progress of one of the task's inputs, at most once per second. */
export interface InputEvent {
  name: string
  /** 'refused': the input cannot be used, and the pieces that need it are not computed */
  state: 'fetching' | 'ready' | 'refused'
  /** total size in bytes */
  length: number
  /** bytes stored here */
  have: number
  /** while it is fetched: when the last of it arrived, or its download began, in milliseconds since 1970 */
  since?: number
  /** why it is refused, or cannot be had for now: one line for people */
  message?: string
}

/** What is known of whose key it is. */
export interface KeyNames {
  /** it is a member of this trusted key */
  trustedKey?: string
  /** what the user calls the key, or that trusted key */
  label?: string
}

/** 'checked': a piece was computed, or judged by the verify command, for which there was a result. */
export interface CheckedReport extends CheckedEvent, KeyNames {
  /** by the verify command: the peers that sent the result, by address if known */
  peers?: string[]
}

/** 'suspected', 'excluded': a peer key attests wrong results: its word alone is not enough, or it is not heard. */
export interface KeyEvent extends KeyNames {
  /** 64 hex digits */
  key: string
  reason: string
}

/** 'strike', 'ban': a peer broke the rules. */
export interface MisdeedEvent {
  /** address if known, else peer id */
  peer: string
  reason: string
}

/** The events of a task's torrent that report what happens to its pieces, and peers that break the rules. */
export interface SessionEvents {
  computing: { piece: number }
  computed: ComputedEvent
  downloaded: DownloadedEvent
  failed: FailedEvent
  peerFailed: PeerFailedEvent
  hopeless: HopelessEvent
  aborted: AbortedEvent
  /** the complete command of this file (its index) has started; followed by 'file' or 'failed' */
  completing: { file: number }
  input: InputEvent
  /** nobody can be expected to provide these pieces; empty: a complete command failed */
  stuck: { pieces: number[] }
  /** during `handOver`: the number of connected peers that want pieces that only this peer has, and of these pieces */
  leaving: Outstanding
  /** this many connected peers say that the finished files are this ordinary torrent; nothing proves it */
  peerSealed: { infoHash: string, peers: number }
  /** the policy for results of other peers, and a line for people; nothing is checked with a warning */
  verifying: { policy: string, line: string, isWarning: boolean }
  checked: CheckedReport
  suspected: KeyEvent
  excluded: KeyEvent
  /** results of new peers are believed less easily from now on */
  level: { level: number, reason: string }
  /** runs of this piece give different results here, so results cannot be compared; from now on this policy holds */
  incomparable: { piece: number, policy: 'off' | UncomparingPolicy['kind'] }
  /** where only members are served: this peer has not shown that it is one, and its connection is closed */
  refused: MisdeedEvent
  strike: MisdeedEvent
  ban: MisdeedEvent
}

/** The progress of a task, in pieces. */
export interface TaskStats {
  pieces: number
  stored: number
  missing: number
  /** pieces that were computed here, or downloaded, and stored since the torrent was added */
  computed: number
  downloaded: number
  /** pieces being computed here now; at most one per slot */
  running: number
  /** pieces that connected peers claim to be computing */
  claimed: number
  /** missing pieces that are expected of connected peers that announced them */
  expected: number
  /** pieces given up here after repeated failures */
  failed: number
}

/** The statistics of a torrent that is not a task, or not yet known to be one. */
export function noStats (): TaskStats {
  return {
    pieces: 0, stored: 0, missing: 0, computed: 0, downloaded: 0, running: 0, claimed: 0, expected: 0, failed: 0
  }
}

/** The failure of a piece that was computed here, and is wrong according to the verify command. */
export function wrongHere (piece: number, final: boolean): FailedEvent {
  return {
    piece,
    code: 'BW_ERR_VERIFY_COMMAND',
    exitCode: null,
    signal: null,
    stderr: '',
    ...NO_COST,
    message: 'The verify command finds what was computed here wrong, so it is discarded.',
    final
  }
}

/** A piece's result in the form that events have. */
export function pieceResult (piece: number, { size, digest }: Result): PieceResult {
  return { piece, size, sha256: hexOf(digest) }
}

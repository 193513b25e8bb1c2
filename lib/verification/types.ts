/**
 * The words of this room: what a reader asks for (`Policy`), what peers say (`Statement`), what is known of a piece
 * (`PieceState`), and what the verification tells its host. Types only.
 */
import type { Result } from '../results/result.ts'

/**
 * What a reader accepts. `off`: whatever was announced. `audit`: results whose key is believed; with `error` (a share,
 * such as 0.01) also a sample of its own. `quorum`: what `count` keys attest and none contradicts. `trust`: what
 * members of trusted keys attest (`keys`: only of these; the caller calls `setMember` for no others). `all`: own
 * computations, and what the verify command finds right.
 */
export type Policy =
  | { readonly kind: 'off' | 'all' }
  | { readonly kind: 'audit', readonly error?: number }
  | { readonly kind: 'quorum', readonly count: number }
  | { readonly kind: 'trust', readonly keys?: readonly string[] }

/** The policies that compare no results. */
export type UncomparingPolicy = Extract<Policy, { kind: 'trust' }> | { readonly kind: 'all' }

/** 0 computed, 1 equal by the compare command, 2 right by the verify command */
export type AttestationKind = 0 | 1 | 2

/** What an attestation says. Its signature was checked. Keys are in lower-case hexadecimal. */
export interface Statement {
  readonly index: number
  readonly result: Result
  readonly key: string
  readonly kind: AttestationKind
  /** false: the key did not claim the piece before, though we could have heard it. Default: true */
  readonly isFirstHand?: boolean
}

/**
 * `missing`: not stored. `own`: computed here. `verified`: right by the verify command. `trusted`, `confirmed` (by two
 * keys or more), `attested`: accepted, by whom. `doubtful`: stored, but not accepted, although somebody attests a
 * result of the piece. `unattested`: stored, and nobody attests a result of it; accepted under `off` only.
 */
export type PieceState =
  'missing' | 'own' | 'verified' | 'trusted' | 'confirmed' | 'attested' | 'doubtful' | 'unattested'

/** Why a piece is computed for which there is a result already. */
export type CheckReason = 'lot' | 'hint' | 'sample' | 'second'

/** How results of one piece are compared: by their bytes, by the task's compare command, or not at all. */
export type Comparison = 'bytes' | 'command' | 'none'

/** Options of a `Verification`. */
export interface VerificationOptions {
  readonly pieceCount: number
  readonly policy: Policy
  /** our own peer key; null: we attest nothing */
  readonly ownKey: string | null
  /** returns numbers from 0 to below 1 */
  readonly random: () => number
  /** default: 'bytes' */
  readonly comparison?: Comparison
}

/** A check that was completed. */
export interface CheckedEvent {
  readonly piece: number
  /** the result that was accepted, or stored, before is right */
  readonly right: boolean
  readonly by: CheckReason | 'verify'
  /** who was first to attest that result */
  readonly key: string | null
}

/** What a `Verification` tells. Called at any moment within a call of it; may call back. */
export interface VerificationHost {
  /** whether a result of the piece is accepted, or which, has changed: ask `accepts` and `needsSecond` again */
  changed (index: number): void
  /** what is stored is wrong: another result is right, by computation, verify command or trusted key; null: unknown */
  refuted (index: number, right: Result | null): void
  /** The piece is to be computed though there is a result. What exceeds the cap is not asked for. */
  check (index: number, by: Exclude<CheckReason, 'second'>): void
  /** others have settled a piece that was to be checked: it need not be computed any more */
  dropped (index: number): void
  checked (event: CheckedEvent): void
  /** the word of this key alone is not enough any more */
  suspected (key: string, reason: string): void
  /** this key is not listened to any more */
  excluded (key: string, reason: string): void
  /** new peers are believed less easily from now on */
  level (level: number, reason: string): void
}

/** Lots, in numbers of pieces. */
export interface LotStats {
  /** completed */
  drawn: number
  /** of these, the accepted result was wrong */
  wrong: number
  /** to be computed */
  open: number
  /** with 95 %, at most this share of what others computed is wrong; 1 without a lot */
  atMost: number
}

/** The reader's own sample (`audit` with an error). */
export interface SampleStats {
  round: number
  /** pieces of this round: in total, checked so far, found wrong */
  size: number
  checked: number
  wrong: number
  state: 'open' | 'satisfied' | 'failed'
  /** with 95 %, at most this share of what others computed was wrong before it was corrected */
  atMost: number
}

/** The numbers behind the summary. */
export interface VerificationStats {
  /** pieces in each state */
  states: Record<PieceState, number>
  lots: LotStats
  /** null: not asked for */
  sample: SampleStats | null
  /** checks that are to be computed here, those of the sample included */
  open: number
  /** keys of others */
  excluded: number
  suspected: number
  members: number
  level: number
}

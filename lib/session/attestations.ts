/** What a session needs of the exchange of attestations (lib/peers/attestation-exchange.ts). */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { AttestationKind, Policy, UncomparingPolicy } from '../verification/types.ts'
import type { Verification } from '../verification/verification.ts'

/** The exchange of one task. */
export interface Attestations {
  /** Begins, once the verification has taken back what an earlier run kept. Throws errors of the file system. */
  open (): void
  /** Tells all that is known to a verification that has taken the place of the first one. */
  retell (): void
  /** A peer has joined; called before its results are heard. */
  add (peer: TaskPeer): void
  remove (peer: TaskPeer): void
  /**
   * Signs what a command of ours gave. Called before the piece is announced.
   * @param opts `isCheck`: a result of the piece was announced before; `kind`: default: 0, computed
   */
  attest (index: number, result: Result, opts: { isCheck: boolean, kind?: AttestationKind }): unknown
  /** An attestation of an announced result of the piece was asked for, and the answer is not here yet. */
  isAwaited (index: number): boolean
  /** The key is not listened to any more: its owners are banned. */
  exclude (key: string, reason: string): void
  close (): void
}

/** The parts that an exchange is made with. */
export interface AttestationParts {
  readonly verification: Pick<Verification, 'accepts' | 'attested' | 'setMember' | 'isMember' | 'isExcluded' | 'statementsOf'>
  readonly results: ResultTable
}

/** The callbacks of an exchange's owner. */
export interface AttestationHost {
  /** an attestation of a result of the piece would be of use */
  wantsAttestation (index: number): boolean
  /** an attestation of the piece is not waited for any more */
  attestationEnded (index: number): void
  misbehaved (peer: TaskPeer, reason: string, isFinal: boolean): void
}

/** How a session verifies results. How they are compared, the task says. */
export interface Verifying {
  readonly policy: Policy
  /** holds from then on if results turn out not to be comparable; default: everything is accepted */
  readonly ifIncomparable?: UncomparingPolicy
  /** our own peer key, hex; null: we attest nothing */
  readonly ownKey: string | null
  /** Called once in a session, the first time that it verifies anything. */
  createAttestations (parts: AttestationParts, host: AttestationHost): Attestations
  /** Returns what an earlier run kept. Default: nothing. */
  load? (): unknown
  /** Keeps what a later run goes on with; replaces what was kept before. Default: nothing is kept. */
  keep? (saved: unknown): void
}

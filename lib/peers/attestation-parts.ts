/** What an exchange of attestations is made with, and what it tells its owner. Types only. */
import type { AttestationKind } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { StatementLog } from '../store/types.ts'
import type { Verification } from '../verification/verification.ts'
import type { PeerKeysParts } from './peer-keys.ts'
import type { TaskPeer } from './task-peer.ts'

/** The parts that the exchange uses. */
export interface AttestationExchangeParts extends PeerKeysParts {
  readonly verification: Pick<Verification, 'accepts' | 'attested' | 'setMember' | 'isMember' | 'isExcluded'>
  readonly results: Pick<ResultTable, 'own'>
  /** Opens what earlier runs have kept; called by `open`, when the task's folder is ours. */
  openLog (): StatementLog
  readonly clock: Clock
  /** Closes the connection of a peer that is no member; default: all peers are served. */
  refuse? (peer: TaskPeer, reason: string): void
}

/** Callbacks of the exchange's owner. */
export interface AttestationExchangeHost {
  /** the piece is missing here and wanted, so that an attestation of a result of it would be of use */
  wantsAttestation (index: number): boolean
  /** an attestation of the piece is not waited for any more (`isAwaited`) */
  attestationEnded (index: number): void
  /** the peer has proved that it has this key (64 hex digits) */
  proved? (peer: TaskPeer, key: string): void
  /** the peer is to be banned: its key is excluded */
  misbehaved (peer: TaskPeer, reason: string, isFinal: boolean): void
}

/** Further options of `attest`. */
export interface AttestOptions {
  /** default: 0, computed */
  kind?: AttestationKind
  /** a result of the piece was announced before, by us or by others; default false */
  isCheck?: boolean
}

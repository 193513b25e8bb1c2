/** Options that decide which results of other peers are accepted, and what is reported of them. Types only. */
import type { KeyObject } from 'node:crypto'
import type { TrustStore } from '../trust/list-format.ts'
import type { Policy, VerificationStats } from '../verification/types.ts'

/** A policy as options have it; as text, it is that of `run --verify`. */
export type PolicyOption = string | { audit: number } | { quorum: number } | { trust: readonly string[] }

/** Options of `client.add` that decide which results of other peers are accepted. */
export interface VerifyOptions {
  /**
   * The policy: 'off' accepts whatever is announced; 'audit', or with the share that may be wrong `{ audit: 0.01 }`,
   * what peer keys attest that are believed, and checks some by lot; `{ quorum: 2 }` what so many keys attest; 'trust',
   * or with public keys `{ trust: ['…'] }`, what members of trusted keys attest; 'all' only what is computed here, or
   * found right by the task's verify command.
   * Default, if the task is computed here: 'all' if it has a verify command, 'audit' if its results can be compared. If
   * not: 'trust' if a key is named by these options or by the task, or somebody in `trust` has signed it; else 'off'.
   */
  verify?: PolicyOption
  /** the file of a secret key: this peer is a member of it, and its members are trusted */
  member?: string
  /** public keys whose members are trusted, 64 hex digits each; default: none */
  checkers?: readonly string[]
  /** whether the members of the keys that the task names are trusted as well; default true */
  taskCheckers?: boolean
  /**
   * The user's trust list. Members of its keys are trusted, except for keys that are denied or whose trust has expired.
   * Its denied keys are not trusted, whoever names them. Default: empty.
   */
  trust?: TrustStore
  /**
   * Refuse peers that are no members of a trusted key: nothing is exchanged with a peer before it has shown a
   * certificate, and after ten seconds its connection is closed. The same holds for tasks whose outputs it reads. Other
   * inputs are exchanged with anybody: they are checked by their hashes. Default false.
   */
  membersOnly?: boolean
  /** the file of a secret key that signs results in every task; default: a key for this task and folder */
  key?: string
  /**
   * Whether commands will run here: `startComputing()` will be called, or `stopComputing()` if they will not after all.
   * Until then, no result is used that the task's verify command could judge. Default: if `compute` is given.
   */
  expectsComputing?: boolean
  /** @internal the output of the task is read by one with these options, and it is computed only if somebody says so */
  isRead?: boolean
}

/** What is known of the results of a torrent. */
export interface VerificationReport extends VerificationStats {
  /** as `run --verify` has it */
  policy: string
  /** members of a trusted key should take part: it is named by options or task, or listed and has signed the task */
  isMemberExpected: boolean
}

/** How results of a task are verified. Keys come from `toSigningKey`. */
export interface VerifyingOptions {
  policy: Policy
  /** a lasting peer key; default: one for this task and folder */
  key?: KeyObject
  /** the trusted key that vouches for our peer key; default: none */
  member?: KeyObject
  /** 64 hex digits each; default: none */
  trustedKeys?: Iterable<string>
  /** refuse peers that are no members of these keys; default false */
  membersOnly?: boolean
}

/**
 * All that is known of a task's results, put together: attestations, keys, and what was computed and stored here. Reads
 * only; verification.ts and conduct.ts change the parts. Pure.
 */
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import { believe, trusted } from './belief.ts'
import type { Belief, Evidence, Rules } from './belief.ts'
import { Ledger } from './ledger.ts'
import type { KeyRecord } from './ledger.ts'
import { Levels } from './levels.ts'
import { PieceStates } from './piece-states.ts'
import { Rechecks } from './rechecks.ts'
import { Statements } from './statements.ts'
import type { Entry } from './statements.ts'
import type { Comparison, Policy, VerificationOptions } from './types.ts'

/** Unequal results of a piece that are kept: more are compared again. */
const MAX_UNEQUAL = 4

/** What is known, and what follows from it. */
export class Known implements Rules {
  readonly policy: Policy
  readonly pieceCount: number
  readonly comparison: Comparison
  readonly ledger = new Ledger()
  readonly levels = new Levels()
  readonly rechecks = new Rechecks()
  readonly statements: Statements
  readonly pieces: PieceStates
  /** results that the compare command found to be others than ours, of some pieces */
  readonly #unequal = new Map<number, readonly Result[]>()

  constructor ({ pieceCount, policy, comparison = 'bytes' }: VerificationOptions) {
    this.policy = policy
    this.pieceCount = pieceCount
    this.comparison = comparison
    const pieces = new PieceStates(pieceCount)
    this.pieces = pieces
    this.statements = new Statements(pieceCount, policy.kind === 'quorum' ? policy.count : 1, {
      keyOf: number => this.ledger.at(number),
      isUsed: (index, variant) => pieces.uses(index, variant)
    })
  }

  get level (): number { return this.levels.level }

  isPiece (index: number): boolean { return Number.isInteger(index) && index >= 0 && index < this.pieceCount }

  /** What is accepted of the piece now. */
  belief (index: number): Belief { return believe(this.#evidence(index), this) }

  /** The result that an own or trusted computation, or the verify command, gave; 0: none did. */
  settled (index: number): number {
    return this.pieces.own[index]! || this.pieces.verified[index]! || this.trusted(index)
  }

  /** The result that members attest; 0: none does, or they contradict each other. */
  trusted (index: number): number { return trusted(this.statements.entries(index), this).variant }

  /** Attestations of keys that are not excluded. */
  heard (index: number): Entry[] { return this.statements.entries(index).filter(isListenedTo) }

  /** The compare command found our result of the piece to differ from these. */
  addUnequal (index: number, results: readonly Result[]): void {
    if (results.length === 0) return
    this.#unequal.set(index, [...this.#unequal.get(index) ?? [], ...results].slice(-MAX_UNEQUAL))
  }

  /** Whether a result is right if `right` is; null: nobody can tell, because their bytes do not decide. */
  isRight (index: number, variant: number, right: number): boolean | null {
    if (variant === right) return true
    if (this.comparison === 'bytes') return false
    const result = this.result(index, variant)
    return result !== null && this.#unequal.get(index)?.some(other => sameResult(other, result)) === true ? false : null
  }

  /**
   * Where several keys must attest a result that no two of them compute: ours is compared with it by a command, so its
   * bytes are needed before it is accepted.
   */
  isQuoted (index: number, result: Result): boolean {
    if (this.policy.kind !== 'quorum' || this.comparison !== 'command' || this.pieces.believed[index] !== 0) return false
    const variant = this.statements.variantOf(index, result)
    return variant !== 0 && this.heard(index).some(entry => entry.variant === variant)
  }

  /** Somebody who is listened to attests a result of the piece. */
  hasVoices (index: number): boolean { return this.statements.entries(index).some(isListenedTo) }

  /** Keys that are not excluded attest different results of the piece. */
  isContradicted (index: number): boolean {
    const [first, ...others] = this.heard(index)
    return others.some(entry => entry.variant !== first!.variant)
  }

  /** What the key attests about the piece. */
  entryOf (index: number, record: KeyRecord): Entry | undefined {
    return this.statements.entries(index).find(entry => entry.key === record)
  }

  /** Who was first to attest this result (0: any), of those who are known. */
  attester (index: number, variant: number): KeyRecord | undefined {
    return this.statements.entries(index).find(entry => variant === 0 || entry.variant === variant)?.key
  }

  result (index: number, variant: number): Result | null { return this.statements.result(index, variant) ?? null }

  /** The result is accepted from now on. Returns whether it is the first one of its key. */
  accept (index: number, variant: number): boolean {
    let isFirst = false
    for (const { key, variant: attested } of this.statements.entries(index)) {
      if (attested !== variant) continue
      if (!key.hasAccepted && this.statements.earner(index) === key) isFirst = true
      this.ledger.accept(key)
    }
    return isFirst
  }

  #evidence (index: number): Evidence {
    return {
      own: this.pieces.own[index]!, verified: this.pieces.verified[index]!, voices: this.statements.entries(index)
    }
  }
}

const isListenedTo = ({ key }: Entry): boolean => key.state !== 'excluded'

/**
 * What follows from what a command of ours gave: whether it is another result than the stored one, by its bytes or by
 * the task's compare command, whether that is certain enough to be told, and what we attest. Owned by believing.ts.
 */
import type { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { OwnResult, PieceStore } from '../store/types.ts'
import type { Comparison } from '../verification/types.ts'
import type { Verification } from '../verification/verification.ts'
import type { Attestations } from './attestations.ts'
import type { BelievingParts } from './believing-parts.ts'
import { Comparer } from './comparer.ts'
import { SecondRuns } from './second-runs.ts'

const trace = traceOf('scheduling')

/** The kind of an attestation: the own result is equal by the compare command. */
const EQUAL = 1

/**
 * An own result beside the stored one. `equal`: the compare command says that they are the same. `replaces`: it takes
 * its place; the stored one is known to be another, if it is in `unequal`. `unsure`: to be computed once more.
 */
type Finding =
  | { is: 'equal' | 'replaces', stored: Result, unequal: readonly Result[] }
  | { is: 'unsure' | 'incomparable' }

/** Callbacks and parts of the owner. */
export interface OwnResultsHost {
  /** null: nothing is verified (any more) */
  verification (): Verification | null
  /** tells it something, and does what follows */
  tell (tell: (verification: Verification) => void): void
  attest: (...args: Parameters<Attestations['attest']>) => void
  /** the piece is to be computed once more */
  again (index: number): void
  /** no two runs of the piece agree */
  incomparable (index: number): void
  warn (err: BitWorkerError): void
}

/** The own results of one task. */
export class OwnResults {
  /** null: results are compared by their bytes */
  readonly comparer: Comparer | null
  readonly #parts: BelievingParts
  readonly #results: BelievingParts['results']
  readonly #host: OwnResultsHost
  readonly #runs: SecondRuns
  /** otherwise what was computed here is as good as any */
  #isComparable: boolean
  /** what `replaces` found about the own result of a piece */
  readonly #found = new Map<number, Finding>()

  constructor (parts: BelievingParts, host: OwnResultsHost) {
    const { results, task: { compareCommand, deterministic } } = parts
    this.#parts = parts
    this.#results = results
    this.#host = host
    this.comparer = compareCommand === undefined ? null : new Comparer(parts, err => { host.warn(err) })
    this.#isComparable = deterministic !== false || this.comparer !== null
    this.#runs = new SecondRuns(deterministic === true)
  }

  /** How results are compared; 'none': they differ from run to run, as the task says or as was found out here. */
  get comparison (): Comparison {
    return !this.#isComparable ? 'none' : this.comparer === null ? 'bytes' : 'command'
  }

  /** The store, for work items whose results are compared with what is stored, while results are verified. */
  checking (store: Pick<PieceStore, 'generate'>): Pick<PieceStore, 'generate'> {
    return {
      generate: index => (this.#host.verification()?.policy.kind ?? 'off') === 'off'
        ? store.generate(index)
        : store.generate(index, { replaces: (own, stored) => this.replaces(index, own, stored) })
    }
  }

  /** The stored results that were computed here, each with the index of its piece. */
  * stored (): Iterable<[index: number, own: Result]> {
    const { task, results, store } = this.#parts
    for (let index = 0; index < task.pieceCount; index++) {
      const [own, computed] = [results.own(index), store.computed(index)]
      if (own !== undefined && computed !== undefined && sameResult(own, computed)) yield [index, own]
    }
  }

  /**
   * A command gave another result than the stored one. Returns whether it takes its place. For the store; the same
   * result is told again by `computed`.
   */
  async replaces (index: number, own: OwnResult, stored: Result): Promise<boolean> {
    this.#found.delete(index)
    if (this.#host.verification() === null) return false
    const found = await this.#compare(index, own, stored)
    const verification = this.#host.verification()
    // otherwise the store asks again, or stores what was computed
    if (verification === null || !this.#isStored(index, stored)) return false
    this.#found.set(index, found)
    if (found.is === 'incomparable') this.#host.incomparable(index)
    if (found.is !== 'replaces') return false
    // what follows from it is seen to when the stored result is gone
    verification.computed(index, own, found.unequal)
    return true
  }

  /** A command gave this result. It is stored now, unless another one is. */
  computed (index: number, own: Result): void {
    const found = this.#found.get(index)
    this.#found.delete(index)
    const verification = this.#host.verification()
    if (verification === null) return
    if (found?.is === 'equal' && this.#isStored(index, found.stored)) {
      this.#host.tell(() => { verification.computed(index, found.stored) })
      return this.#host.attest(index, found.stored, { isCheck: true, kind: EQUAL })
    }
    const isTold = found?.is === 'replaces'
    const isOff = verification.policy.kind === 'off'
    // it came while it was computed, and everything is accepted
    if (isOff && this.#results.has(index) && !this.#isStored(index, own)) return
    if (found?.is === 'unsure' || (!isTold && !isOff && !this.#isSure(verification, index, own))) {
      // not now: this item has only just ended
      return queueMicrotask(() => { this.#host.again(index) })
    }
    const isCheck = this.#results.has(index) || this.#results.holders(index) > 0
    this.#host.tell(() => { if (!isTold) verification.computed(index, own) })
    this.#host.attest(index, own, { isCheck })
  }

  async #compare (index: number, own: OwnResult, stored: Result): Promise<Finding> {
    if (this.comparer === null) {
      const run = this.#ended(index, own, true)
      return run === 'sure' ? { is: 'replaces', stored, unequal: [stored] } : { is: run }
    }
    const compared = await this.comparer.compare(index, own)
    trace('piece %d gave a result that is, compared with the stored one: %s', index, compared)
    switch (compared) {
      case 'same':
        this.#runs.forget(index)
        return { is: 'equal', stored, unequal: [] }
      case 'different': return this.#runs.differs(index) ? { is: 'replaces', stored, unequal: [stored] } : { is: 'unsure' }
      case 'unknown': return { is: 'replaces', stored, unequal: [] }
      case 'stopped': return { is: 'unsure' }
      default: return compared satisfies never
    }
  }

  /**
   * A result that contradicts others is computed once more before anything is said of them: a machine may err, and a
   * command may not give the same bytes each time.
   */
  #isSure (verification: Verification, index: number, own: Result): boolean {
    // what an earlier run gave, and was told then
    if (verification.stateOf(index) === 'own' && this.#isStored(index, own)) return true
    const run = this.#ended(index, own, verification.contradicts(index, own))
    if (run === 'incomparable') this.#host.incomparable(index)
    return run === 'sure'
  }

  #ended (index: number, own: Result, isContested: boolean): 'sure' | 'unsure' | 'incomparable' {
    if (!this.#isComparable) return 'sure'
    const run = this.#runs.ended(index, own, isContested)
    trace('piece %d gave a result that is %s', index, run)
    if (run !== 'unequal') return run
    this.#isComparable = false
    return 'incomparable'
  }

  #isStored (index: number, result: Result): boolean {
    const stored = this.#results.own(index)
    return stored !== undefined && sameResult(stored, result)
  }
}

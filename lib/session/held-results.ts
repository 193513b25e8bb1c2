/**
 * Which stored results are held back, that is, neither read nor made into files: those that are not accepted, those
 * that need a second look, and, for files, all of them while checks are open. Pure. Owned by believing.ts.
 */
import { BitWorkerError } from '../base/errors.ts'
import type { Task } from '../task/task.ts'
import type { Verification } from '../verification/verification.ts'
import { Unaccepted } from './unaccepted.ts'

/**
 * How the inputs stand that checks need: they are here; they come, or may come; or no connected peer has them, or they
 * are refused.
 */
export type Reach = 'here' | 'coming' | 'absent'

/** Checks without inputs are waited for this long, milliseconds: time to find peers that have them. */
export const ABSENT_MS = 20_000

/** What is asked of, and told to, the owner of the held results. */
export interface HeldHost {
  /** null: nothing is verified */
  verification (): Pick<Verification, 'isSettled' | 'isSampling'> | null
  /** nothing is to be checked any more, or what is is not waited for */
  settled (): void
  warn (err: BitWorkerError): void
}

/** The held results of one task. */
export class HeldResults {
  readonly #host: HeldHost
  readonly #unaccepted: Unaccepted
  /** those that need a second look before they are made into files */
  readonly #unseen: Unaccepted
  #isComputing = false
  /** since when the inputs that checks need are nowhere */
  #absentSince = Infinity
  #isStalled = false
  #hasWarned = false
  #wasSettled = true

  constructor (task: Task, host: HeldHost) {
    this.#host = host
    this.#unaccepted = new Unaccepted(task)
    this.#unseen = new Unaccepted(task)
  }

  /** Something is, or will be, computed here. */
  setComputing (isComputing: boolean): void {
    this.#isComputing = isComputing
    this.#changed()
  }

  /**
   * To be called every few seconds. Checks are not waited for while the inputs they need are nowhere; if these come,
   * they are again. Returns true when that begins: results may be read that could not.
   * @param computing `isIdle`: nothing is being computed here, and nothing could be; `reach`: of what is to be checked
   */
  look (now: number, computing: { readonly isIdle: boolean, readonly reach: Reach }): boolean {
    const isAbsent = this.#isChecking && computing.isIdle && computing.reach === 'absent'
    this.#absentSince = isAbsent ? Math.min(this.#absentSince, now) : Infinity
    const isStalled = now - this.#absentSince >= ABSENT_MS
    if (isStalled === this.#isStalled) return false
    this.#isStalled = isStalled
    if (isStalled && !this.#hasWarned) this.#host.warn(unchecked())
    this.#hasWarned ||= isStalled
    this.#changed()
    return isStalled
  }

  /** The file may be finished, as far as its results are concerned. */
  mayFinish (file: number): boolean {
    const isSeen = !this.#isMaking || this.#unseen.countIn(file) === 0
    return isSeen && this.#isSettled && this.#unaccepted.countIn(file) === 0
  }

  /** What is stored may be read: it is accepted, and no second look is to come. */
  isReadable (index: number): boolean {
    return !this.#unaccepted.has(index) && !(this.#isMaking && this.#unseen.has(index))
  }

  /** Whether the piece is stored, and not accepted, or in need of a second look. Returns whether that has changed. */
  set (index: number, isAccepted: boolean, needsLook: boolean): boolean {
    const isNew = this.#unaccepted.set(index, !isAccepted)
    const isSeen = this.#unseen.set(index, needsLook) && !needsLook
    return isNew || isSeen
  }

  /** To be called after every change of the verification. */
  settle (): void {
    const isSettled = this.#isSettled
    if (isSettled && !this.#wasSettled) this.#host.settled()
    this.#wasSettled = isSettled
  }

  #changed (): void {
    this.#wasSettled = false
    this.settle()
  }

  /** Checks and second looks are open that would be waited for if they could be made. */
  get #isChecking (): boolean {
    return this.#isComputing && (this.#unseen.size > 0 || this.#host.verification()?.isSettled === false)
  }

  /** Checks and second looks are being made: they are waited for. */
  get #isMaking (): boolean { return this.#isComputing && !this.#isStalled }

  /** Nothing is to be checked any more. Nobody waits for lots while nothing is computed here; for a sample, he does. */
  get #isSettled (): boolean {
    const verification = this.#host.verification()
    return verification === null || verification.isSettled || (!this.#isMaking && !verification.isSampling)
  }
}

function unchecked (): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_UNCHECKED',
    'system',
    'Results of others are used without the checks that were to be made here: nobody who is connected has the inputs that these need. If the inputs come, the checks are made.'
  )
}

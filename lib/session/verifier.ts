/**
 * Has the store run the task's verify command on results, and remembers what it found: which results are refused, from
 * whomever they come, and whose results were. A verdict is about a result, not about who has it: no peer is punished
 * here. Owned by piece-flow.ts.
 *
 * Results of others that cannot be judged are not used. Only pieces that were computed here show that the command
 * itself does not work: otherwise whoever sends what makes it fail could switch it off.
 */
import type { Clock } from '../base/clock.ts'
import { hexOf } from '../base/digest.ts'
import { BitWorkerError, CommandError } from '../base/errors.ts'
import type { Result } from '../results/result.ts'
import type { Judgement, PieceStore, UnstoredResult } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import { JudgeRuns, limitMs } from './judge-run.ts'

/**
 * 'unjudged': no verify command may run here (any more). 'ignored': of no peer that is still listened to, or nobody is.
 */
export type Verdict = Judgement['verdict'] | 'unjudged' | 'ignored'

/**
 * Whether results of others are judged. 'possible': where commands run; what cannot be judged, because none may run or
 * the command was given up, is left to the policy. 'required': nothing else is used. It waits while no command may run,
 * and nobody is listened to if the command is given up. 'none': not at all.
 */
export type JudgeMode = 'none' | 'possible' | 'required'

/** The parts that the verifier uses. */
export interface VerifierParts {
  readonly store: Pick<PieceStore, 'verifyBy'>
  readonly clock: Clock
}

/** Callbacks of the verifier's owner. */
export interface VerifierHost {
  /** how long a piece takes to be computed here, milliseconds; 0: unknown */
  readonly paceMs: number
  /** The command does not work here: nothing is judged any more. */
  gaveUp (why: BitWorkerError): void
  /** Said once: what others computed has come, and waits, because no command may run any more. */
  waits (why: BitWorkerError): void
  /** The command does not end in time, whatever piece it is given: no result of others is used. Called once. */
  isTooSlow (why: BitWorkerError): void
}

interface Waiting {
  index: number
  draft: UnstoredResult | undefined
  /** who sent it; nobody: it is stored */
  sources: readonly object[]
  resolve: (judgement: Judgement | 'unjudged' | 'ignored') => void
}

/** What is judged, and how it came here. */
export interface Origin {
  /** it is not stored yet; default: it is */
  draft?: UnstoredResult
  /** the peers that sent it; default: none */
  sources?: readonly object[]
  /** it was computed here; default: false */
  isOwn?: boolean
}

/** Refused results that are remembered: a liar can make more than anyone wants to keep. */
const MAX_REFUSED = 65_536
/** Of a peer with this many useless results, and fewer useful ones, no more are taken. */
const MAX_USELESS = 3
/** So many own pieces in a row at which the command itself failed show that it does not work. */
const MAX_UNKNOWN = 3
/** These say that the machine was slow, or that something else was wrong: the command may work. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set(['BW_ERR_COMMAND_TIMEOUT', 'BW_ERR_INPUT'])
/** Own pieces are judged three times, and from then on if that takes no more than this share of computing them. */
const OWN_PIECES = 3
const OWN_SHARE = 0.1
const NO_RECORD = { useful: 0, useless: 0 }

/** The verification of one task's results by its verify command. */
export class Verifier {
  readonly #store: VerifierParts['store']
  readonly #host: VerifierHost
  readonly #isAble: boolean
  #judging: JudgeMode = 'possible'
  #mode: 'off' | 'expected' | 'on' = 'off'
  #hasGivenUp = false
  #isStopped = false
  #isClosed = false
  #saysThatItWaits = true
  readonly #queue: Waiting[] = []
  readonly #runs: JudgeRuns
  /** keys of results that are wrong; of those that could not be judged */
  readonly #wrong = new Set<string>()
  readonly #unknown = new Set<string>()
  #records = new WeakMap<object, { useful: number, useless: number }>()
  readonly #own = { judged: 0, late: 0, ms: 0, paceMs: 0, unknown: 0 }

  constructor (task: Task, { store, clock }: VerifierParts, host: VerifierHost) {
    this.#store = store
    this.#runs = new JudgeRuns(clock)
    this.#host = host
    const { verifyCommand, unsupported } = task
    this.#isAble = verifyCommand !== undefined && unsupported === undefined && store.verifyBy !== undefined
  }

  get #isPossible (): boolean { return this.#isAble && this.#judging !== 'none' }

  get #mustJudge (): boolean { return this.#isAble && this.#judging === 'required' }

  get isRequired (): boolean { return this.#mustJudge }

  /** Default: 'possible'. What waits, and need not any more, is left to the policy. */
  setJudging (judging: JudgeMode): void {
    this.#judging = judging
    this.#saysThatItWaits = true
    if (this.#isStopped || this.#hasGivenUp || judging === 'none') this.stop()
  }

  /** Results are judged, now or as soon as commands may run, or are not used at all. */
  get isOn (): boolean { return this.#mode !== 'off' || this.#refusesAll }

  get #refusesAll (): boolean { return this.#mustJudge && this.#hasGivenUp }

  /** Commands will be allowed to run: results wait until then. */
  expect (): void {
    this.#isStopped = false
    if (this.#isPossible && !this.#hasGivenUp && this.#mode === 'off') this.#mode = 'expected'
  }

  /** Commands may run, this many at a time. */
  start (slots: number, isPaused: boolean): void {
    this.expect()
    if (this.#mode === 'off') return
    this.#mode = 'on'
    this.#runs.start(slots, isPaused)
    this.#run()
  }

  pause (): void { this.#runs.pause() }

  resume (): void {
    this.#runs.resume()
    this.#run()
  }

  /** Commands may not run any more: what is waiting stays unjudged, or waits until they may. */
  stop (): void {
    this.#isStopped = true
    this.#mode = this.#keepsWaiting ? 'expected' : 'off'
    this.#runs.stop()
    if (this.#keepsWaiting) {
      if (this.#queue.some(({ sources }) => sources.length > 0)) this.#sayThatItWaits()
      return
    }
    for (const { resolve } of this.#queue.splice(0)) resolve(this.#refusesAll ? 'ignored' : 'unjudged')
  }

  close (): void {
    this.#isClosed = true
    this.stop()
  }

  get #keepsWaiting (): boolean { return this.#mustJudge && !this.#hasGivenUp && !this.#isClosed }

  /** Judges what is stored of the piece, or what was downloaded. */
  async judge (index: number, { draft, sources = [], isOwn = false }: Origin = {}): Promise<Verdict> {
    if (!this.isOn) return 'unjudged'
    if (this.#refusesAll) return 'ignored'
    if (this.#isStopped && sources.length > 0) this.#sayThatItWaits()
    const judgement = await new Promise<Judgement | 'unjudged' | 'ignored'>(resolve => {
      this.#queue.push({ index, draft, sources, resolve })
      this.#run()
    })
    if (typeof judgement === 'string') return judgement
    if (isOwn) this.#learn(judgement)
    return judgement.verdict
  }

  /** The result is not to be used from now on, whoever has it. */
  refuse (index: number, result: Result, verdict: 'wrong' | 'unknown'): void {
    const refused = verdict === 'wrong' ? this.#wrong : this.#unknown
    refused.add(keyOf(index, result))
    if (refused.size > MAX_REFUSED) refused.delete(refused.values().next().value!)
  }

  /** The result is not to be used, whoever has it. */
  refuses (index: number, result: Result): boolean {
    if (this.#wrong.size + this.#unknown.size === 0) return false
    const key = keyOf(index, result)
    return this.#wrong.has(key) || this.#unknown.has(key)
  }

  /** Notes whether what the peer sent could be used. */
  received (peer: object, isUseful: boolean): void {
    const record = this.#records.get(peer) ?? { ...NO_RECORD }
    record[isUseful ? 'useful' : 'useless']++
    this.#records.set(peer, record)
  }

  /** Whether results are taken from the peer: not if most of those that it sent were useless. */
  listensTo (peer: object): boolean {
    if (this.#refusesAll) return false
    const { useful, useless } = this.#records.get(peer) ?? NO_RECORD
    return useless < MAX_USELESS || useless <= useful
  }

  /** Whether pieces that were computed here are judged, too: it costs little, and finds broken machines. */
  get judgesOwn (): boolean {
    const { judged, ms, paceMs } = this.#own
    return this.isOn && (judged < OWN_PIECES || ms <= OWN_SHARE * paceMs)
  }

  #learn (judgement: Judgement): void {
    const own = this.#own
    const isBroken = judgement.verdict === 'unknown' && judgement.why instanceof CommandError &&
      !NOT_ITS_FAULT.has(judgement.why.code)
    if (isBroken) {
      if (++own.unknown >= MAX_UNKNOWN) this.#giveUp(judgement.why)
      return
    }
    if (judgement.verdict !== 'unknown') own.unknown = 0
    own.judged++
    if (isLate(judgement) && ++own.late === OWN_PIECES && own.judged === OWN_PIECES) {
      this.#host.isTooSlow(tooSlow(OWN_PIECES))
    }
    // what took too long, or could not be done, is not tried again and again
    own.ms += judgement.verdict === 'right' ? judgement.ms : judgement.verdict === 'unknown' ? this.#limitMs : 0
    own.paceMs += this.#host.paceMs
  }

  /** Computing a piece is no slower than to wait longer for a verdict. */
  get #limitMs (): number { return limitMs(this.#host.paceMs) }

  #giveUp (why: Error): void {
    this.#hasGivenUp = true
    this.#unknown.clear()
    this.#records = new WeakMap()
    this.stop()
    this.#host.gaveUp(new BitWorkerError(
      'BW_ERR_VERIFY_COMMAND',
      'command',
      `The task's verify command cannot judge pieces that were computed here (${why.message.replace(/\.$/, '')}), so it is not used any more. Correct the machine or the task.`,
      { cause: why }
    ))
  }

  #sayThatItWaits (): void {
    if (!this.#saysThatItWaits) return
    this.#saysThatItWaits = false
    this.#host.waits(new BitWorkerError(
      'BW_ERR_VERIFY_COMMAND',
      'command',
      "No commands run here any more, so the task's verify command does not, and results of other peers wait, as the policy all asks. Start computing again, or choose another policy."
    ))
  }

  #run (): void {
    while (this.#mode === 'on' && this.#runs.hasRoom) {
      const next = this.#next()
      if (next === undefined) return
      if (next.sources.length > 0 && !next.sources.some(peer => this.listensTo(peer))) next.resolve('ignored')
      else void this.#start(next)
    }
  }

  /** What comes from those who have sent the most that was right: liars must not keep others waiting. */
  #next (): Waiting | undefined {
    let best = 0
    let most = -Infinity
    for (const [i, { sources }] of this.#queue.entries()) {
      const score = sources.length === 0 ? Infinity : Math.max(...sources.map(peer => this.#scoreOf(peer)))
      if (score <= most) continue
      best = i
      most = score
      if (score === Infinity) break
    }
    return this.#queue.splice(best, 1)[0]
  }

  #scoreOf (peer: object): number {
    const { useful, useless } = this.#records.get(peer) ?? NO_RECORD
    return useful - useless
  }

  async #start (waiting: Waiting): Promise<void> {
    const { index, draft, resolve } = waiting
    const limit = this.#limitMs
    const run = this.#runs.begin(limit)
    let judgement: Judgement | 'unjudged' = 'unjudged'
    try {
      judgement = await run.of(this.#store.verifyBy!(index, draft))
    } catch (err) {
      if (run.isLate) judgement = { verdict: 'unknown', why: new LateError(`it takes more than ${limit / 1000} s, as long as computing the piece`) }
      else if (!run.isStopped) judgement = { verdict: 'unknown', why: err as Error }
    }
    this.#runs.end(run)
    if (judgement !== 'unjudged') resolve(judgement)
    else if (this.#keepsWaiting) this.#queue.unshift(waiting)
    else resolve(this.#refusesAll ? 'ignored' : 'unjudged')
    this.#run()
  }
}

class LateError extends Error {}

/** The command did not end, in our time or in its own. */
function isLate (judgement: Judgement): boolean {
  if (judgement.verdict !== 'unknown') return false
  const { why } = judgement
  return why instanceof LateError || (why instanceof CommandError && why.code === 'BW_ERR_COMMAND_TIMEOUT')
}

function tooSlow (pieces: number): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_VERIFY_COMMAND',
    'command',
    `The task's verify command did not end in time for any of the first ${pieces} pieces that were computed here. What it does not judge is computed here, so results of other peers are of little use. Use a faster machine, or give the task a cheaper verify command, or more time for it.`
  )
}

function keyOf (index: number, { size, digest }: Result): string { return `${index} ${size} ${hexOf(digest)}` }

/**
 * Tells the peers which pieces were given up here and why, and reports what they tell (docs/ut_bitworker.md,
 * "Failures"). For people only: nothing is decided by it. Owned by work-session.ts.
 */
import { MAX_FAILURES } from '../../extensions/ut_bitworker/constants.ts'
import type { FailureKind, FailureRecord, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { ErrorCode } from '../base/errors.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import type { Wire } from '../base/wire.ts'
import { nameOf } from '../peers/strikes.ts'
import type { FailedEvent, PeerFailedEvent, SessionEvents } from './events.ts'

/** Failures of other peers that are reported per second, and at once: a peer that returns tells all of them again. */
const TOLD_PER_SECOND = 16
const TOLD_BURST = 2_048
/** Failures of one piece that are reported: more peers than that say nothing new. */
const TOLD_PER_PIECE = 16

/** The signals that end commands, by their numbers on Linux, where commands run. */
const SIGNALS: ReadonlyArray<[number: number, name: NodeJS.Signals]> = [
  [1, 'SIGHUP'], [2, 'SIGINT'], [3, 'SIGQUIT'], [4, 'SIGILL'], [5, 'SIGTRAP'], [6, 'SIGABRT'], [7, 'SIGBUS'],
  [8, 'SIGFPE'], [9, 'SIGKILL'], [10, 'SIGUSR1'], [11, 'SIGSEGV'], [12, 'SIGUSR2'], [13, 'SIGPIPE'], [14, 'SIGALRM'],
  [15, 'SIGTERM'], [24, 'SIGXCPU'], [25, 'SIGXFSZ'], [31, 'SIGSYS']
]

/** What each kind stands for, and how it is put into words. */
const KINDS: Readonly<Record<FailureKind, [code: ErrorCode, says: string]>> = {
  exit: ['BW_ERR_COMMAND_EXIT', 'exited with code'],
  signal: ['BW_ERR_COMMAND_SIGNAL', 'was killed by'],
  time: ['BW_ERR_COMMAND_TIMEOUT', 'ran longer than its time limit'],
  output: ['BW_ERR_COMMAND_OUTPUT', 'wrote more to stdout than the piece length'],
  memory: ['BW_ERR_COMMAND_MEMORY', 'used too much memory'],
  disk: ['BW_ERR_COMMAND_DISK', 'wrote too much to disk'],
  other: ['BW_ERR_COMMAND_KILLED', 'did not give a result']
}

/** The failures of one task's pieces, here and at the connected peers. */
export class FailureExchange {
  readonly #report: (failure: PeerFailedEvent) => void
  readonly #clock: Clock
  readonly #peers = new Map<Wire, UtBitworker>()
  /** ours, by piece: at most as many as one connection takes */
  readonly #own = new Map<number, FailureRecord>()
  /** pieces that have failed here, and may be tried again: what would be told of them */
  readonly #latest = new Map<number, FailureRecord>()
  /** how often failures of a piece were reported */
  readonly #told = new Map<number, number>()
  readonly #bucket: TokenBucket

  /** @param report receives what peers tell */
  constructor (clock: Clock, report: (failure: PeerFailedEvent) => void) {
    this.#clock = clock
    this.#report = report
    this.#bucket = new TokenBucket(TOLD_PER_SECOND, TOLD_BURST, clock.now())
  }

  /** Listens to a peer, and tells it what failed here. */
  add (wire: Wire, ext: UtBitworker): void {
    this.#peers.set(wire, ext)
    const introduce = (): void => { ext.giveUp(this.#own.values()) }
    ext.on('failures', records => { for (const record of records) this.#heard(wire, record) })
    ext.on('matched', introduce)
    wire.once('close', () => { this.#peers.delete(wire) })
    if (ext.state.status === 'matched') introduce()
  }

  /** To be called with every event of the session. */
  note<K extends keyof SessionEvents> (event: K, payload: SessionEvents[K]): void {
    if (event === 'computed' || event === 'downloaded') this.#forget((payload as { piece: number }).piece)
    if (event === 'failed') this.#failed(payload as FailedEvent)
    // no piece is tried again
    if (event === 'hopeless') for (const record of this.#latest.values()) this.#tell(record)
  }

  #failed (failure: FailedEvent): void {
    const { piece, final } = failure
    if (piece === null) return
    const record = recordOf(piece, failure)
    if (final) this.#tell(record)
    else if (this.#latest.size < MAX_FAILURES) this.#latest.set(piece, record)
  }

  #tell (record: FailureRecord): void {
    this.#latest.delete(record.index)
    if (this.#own.size >= MAX_FAILURES) return
    this.#own.set(record.index, record)
    for (const ext of this.#peers.values()) ext.giveUp([record])
  }

  #forget (piece: number): void {
    this.#own.delete(piece)
    this.#latest.delete(piece)
  }

  #heard (wire: Wire, { index, kind, value, line }: FailureRecord): void {
    const times = this.#told.get(index) ?? 0
    if (times >= TOLD_PER_PIECE || !this.#bucket.takeAll(1, this.#clock.now())) return
    this.#told.set(index, times + 1)
    const [code, says] = KINDS[kind]
    const exitCode = kind === 'exit' ? value : null
    const signal = kind === 'signal' ? SIGNALS.find(([number]) => number === value)?.[1] ?? null : null
    const what = kind === 'exit' ? ` ${value}` : kind === 'signal' ? ` ${signal ?? `signal ${value}`}` : ''
    const message = `The command ${says}${what}${line === '' ? '.' : `: ${line}`}`
    this.#report({ piece: index, from: [nameOf(wire)], code, exitCode, signal, stderr: line, message })
  }
}

function recordOf (index: number, { code, exitCode, signal, stderr }: FailedEvent): FailureRecord {
  const line = stderr.slice(stderr.trimEnd().lastIndexOf('\n') + 1).trim()
  const kind = (Object.keys(KINDS) as FailureKind[]).find(each => KINDS[each][0] === code) ?? 'other'
  const value = kind === 'exit' ? exitCode ?? 0 : kind === 'signal' ? SIGNALS.find(([, name]) => name === signal)?.[0] ?? 0 : 0
  return { index, kind, value, line }
}

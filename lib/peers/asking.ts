/**
 * Which peer is asked for the attestations of which piece: each piece once, of one peer at a time. Pure: the clock is
 * handed in. Called by attestation-exchange.ts.
 */
import type { Clock } from '../base/clock.ts'

/** Time to answer. */
const ANSWER_MS = 10_000
const SWEEP_MS = 1_000
/** Pieces for which one peer is asked at a time: what it may answer in a second. */
const MAX_ASKED = 128
/** Pieces that wait to be asked of one peer: fewer than it may answer until they lapse. */
const MAX_QUEUED = 1_024
/** Peers that are asked for the same piece, one after the other. */
const MAX_TRIES = 3

/** Callbacks of the owner. */
export interface AskingHost<Peer> {
  /** sends the questions */
  ask (peer: Peer, indices: number[]): void
  /** another peer that may know more of the piece, if there is one; `not` has answered, or has not in time */
  another (index: number, not: Peer): Peer | undefined
  /** the piece is not waited for any more */
  ended (index: number): void
  /** there was no time to ask the peer for this piece */
  unasked (peer: Peer, index: number): void
  /** the peer can be asked for further pieces */
  drained (peer: Peer): void
}

interface Question<Peer> { readonly peer: Peer, at: number, readonly tries: number, isAsked: boolean }

/** What one peer was asked. */
interface Asked {
  count: number
  /** when it last sent an attestation */
  heardAt: number
  /** it has not answered in time: it is asked for one piece at a time until it sends an attestation */
  isSilent: boolean
  readonly queue: number[]
}

/** The questions to all peers. */
export class Asking<Peer extends object> {
  readonly #clock: Clock
  readonly #host: AskingHost<Peer>
  /** by piece, in the order in which they lapse */
  readonly #questions = new Map<number, Question<Peer>>()
  readonly #peers = new Map<Peer, Asked>()
  #cancel: (() => void) | null = null
  #isClosed = false

  constructor (clock: Clock, host: AskingHost<Peer>) {
    this.#clock = clock
    this.#host = host
  }

  /** Whether an answer about the piece is expected. */
  isAwaited (index: number): boolean { return this.#questions.has(index) }

  /** Asks the peer, now or when it has answered others. Returns false if it cannot be asked. */
  want (peer: Peer, index: number, tries = 0): boolean {
    if (this.#questions.has(index)) return true
    const own = this.#peers.get(peer) ?? { count: 0, heardAt: -Infinity, isSilent: false, queue: [] }
    this.#peers.set(peer, own)
    if (this.#isClosed || own.queue.length >= MAX_QUEUED || (own.isSilent && own.count > 0)) return false
    this.#questions.set(index, { peer, at: this.#clock.now(), tries, isAsked: false })
    own.queue.push(index)
    this.#next(peer, own)
    this.#cancel ??= this.#clock.after(SWEEP_MS, () => { this.#sweep() }, { unref: true })
    return true
  }

  /** Something about the piece has been learnt. @param from the peer that sent it */
  answered (index: number, from: Peer): void {
    const sender = this.#peers.get(from)
    if (sender !== undefined) Object.assign(sender, { heardAt: this.#clock.now(), isSilent: false })
    const question = this.#questions.get(index)
    if (question === undefined) return
    this.#goOn(index, question)
    const own = this.#peers.get(question.peer)
    if (own === undefined) return
    this.#next(question.peer, own)
    if (own.queue.length === 0) this.#host.drained(question.peer)
  }

  /** The peer has left. Others are asked instead. */
  remove (peer: Peer): void {
    const pieces = [...this.#questions].filter(([, question]) => question.peer === peer)
    this.#peers.delete(peer)
    for (const [index, question] of pieces) this.#goOn(index, question)
  }

  close (): void {
    this.#isClosed = true
    this.#cancel?.()
    this.#cancel = null
  }

  #next (peer: Peer, own: Asked): void {
    const indices: number[] = []
    while (own.count < MAX_ASKED && own.queue.length > 0) {
      const index = own.queue.shift()!
      const question = this.#questions.get(index)
      if (question === undefined || question.peer !== peer || question.isAsked) continue
      question.isAsked = true
      own.count++
      indices.push(index)
    }
    if (indices.length > 0) this.#host.ask(peer, indices)
  }

  #forget (index: number, { peer, isAsked }: Question<Peer>): void {
    this.#questions.delete(index)
    const own = this.#peers.get(peer)
    if (own !== undefined && isAsked) own.count--
  }

  /** It was answered, or will not be: asks another peer, or gives up. */
  #goOn (index: number, question: Question<Peer>): void {
    const { peer, tries, isAsked } = question
    this.#forget(index, question)
    if (!isAsked) this.#host.unasked(peer, index)
    const other = tries + 1 < MAX_TRIES && !this.#isClosed ? this.#host.another(index, peer) : undefined
    if (other === undefined || !this.want(other, index, tries + 1)) this.#host.ended(index)
  }

  #sweep (): void {
    this.#cancel = null
    const limit = this.#clock.now() - ANSWER_MS
    const lapsed: Array<[number, Question<Peer>]> = []
    for (const [index, question] of this.#questions) {
      if (question.at > limit) break
      lapsed.push([index, question])
    }
    for (const [, question] of lapsed) {
      const own = this.#peers.get(question.peer)
      if (question.isAsked && own !== undefined && own.heardAt < question.at) own.isSilent = true
    }
    for (const [index, question] of lapsed) this.#goOn(index, question)
    for (const [peer, own] of this.#peers) {
      this.#next(peer, own)
      if (own.queue.length === 0) this.#host.drained(peer)
    }
    if (this.#questions.size > 0 && !this.#isClosed) {
      this.#cancel ??= this.#clock.after(SWEEP_MS, () => { this.#sweep() }, { unref: true })
    }
  }
}

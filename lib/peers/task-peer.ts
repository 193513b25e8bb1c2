/** One connected peer of a task, as the parts of a work session see it. */
import { MAX_CLAIMS, MAX_RELAYS } from '../../extensions/ut_bitworker/constants.ts'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire } from '../base/wire.ts'
import type { PeerResults } from '../results/result-table.ts'
import { ClaimSource } from '../scheduling/claimants.ts'
import { Holder } from '../scheduling/holder.ts'

/** A wire together with what its peer has announced. */
export class TaskPeer {
  readonly wire: Wire
  readonly ext: UtBitworker
  readonly results: PeerResults
  /** pieces it holds that were missing here when it announced them, oldest first */
  readonly queue: PieceQueue = new PieceQueue()
  /** those of them that a reader waits for */
  readonly urgent: PieceQueue = new PieceQueue()
  /** it was sent our bitfield */
  isGreeted = false
  /** pieces stored since then, to be announced once the task digests have matched */
  readonly heldBack: number[] = []
  /**
   * up to where it has been told the news of stored pieces (announcer.ts); undefined: it has not been sent the snapshot
   * yet
   */
  toldUntil: number | undefined
  /** pieces of those that it hears of from others, and those of the round before (announcer.ts) */
  later: number[] = []
  late: number[] = []
  isBanned = false
  /** peers that it says it is connected to (hex peer ids); kept here because a closed connection forgets */
  readonly neighbours = new Set<string>()
  /** what it computes */
  readonly claims = new ClaimSource({ limit: MAX_CLAIMS })
  /** what its neighbours compute, by its word */
  readonly relays = new ClaimSource({ limit: MAX_RELAYS, kind: 'relay' })
  /** what it announced and we lack, and how it delivers */
  readonly holder = new Holder()
  /** pieces that we left to it because of its claim, and that it does not have yet */
  readonly owed = new Set<number>()
  /** for how long it has choked us though we need its pieces (neighbours.ts) */
  starvingRounds = 0

  constructor (wire: Wire, ext: UtBitworker, results: PeerResults) {
    this.wire = wire
    this.ext = ext
    this.results = results
  }

  /** hex, 40 digits */
  get id (): string { return this.wire.peerId ?? '' }

  /** it sent at least one piece that matched its digest */
  get hasDelivered (): boolean { return this.holder.delivered > 0 }

  /** It may have something that is needed. */
  get isAwaited (): boolean { return this.queue.length > 0 || this.urgent.length > 0 }

  /** For people: the address if there is one, else the peer id. */
  get name (): string {
    const { remoteAddress, remotePort, peerId } = this.wire
    return remoteAddress === undefined ? peerId ?? 'unknown' : `${remoteAddress}:${remotePort}`
  }
}

/** A first-in first-out queue of piece indices whose `shift` does not move the rest. */
export class PieceQueue {
  #items: number[] = []
  #head = 0

  get length (): number { return this.#items.length - this.#head }

  push (index: number): void { this.#items.push(index) }

  clear (): void {
    this.#items = []
    this.#head = 0
  }

  some (test: (index: number) => boolean): boolean {
    return this.#items.some((index, at) => at >= this.#head && test(index))
  }

  shift (): number | undefined {
    const index = this.#items[this.#head]
    if (index === undefined) return undefined
    this.#head++
    // moving the rest only when half of the array is used up keeps the cost per item constant
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return index
  }
}

/** What each connected peer is to be asked for, and in which order. Pure. Called by downloader.ts. */
import type { TaskPeer } from '../peers/task-peer.ts'

/** Pieces that one peer holds and that were missing here when it announced them, oldest first. */
interface Queues {
  readonly ordinary: PieceQueue
  /** those of them that a reader waits for */
  readonly urgent: PieceQueue
  /** the piece that was last begun with it */
  current: number | undefined
}

/** The queues of all peers. */
export class PeerQueues {
  readonly #queues = new Map<TaskPeer, Queues>()

  push (peer: TaskPeer, index: number, isUrgent: boolean): void {
    const { urgent, ordinary } = this.#of(peer)
    ;(isUrgent ? urgent : ordinary).push(index)
  }

  isEmpty (peer: TaskPeer): boolean {
    const queues = this.#queues.get(peer)
    return queues === undefined || (queues.ordinary.length === 0 && queues.urgent.length === 0)
  }

  hasUrgent (peer: TaskPeer): boolean { return (this.#queues.get(peer)?.urgent.length ?? 0) > 0 }

  some (peer: TaskPeer, test: (index: number) => boolean): boolean {
    const queues = this.#queues.get(peer)
    return queues !== undefined && (queues.urgent.some(test) || queues.ordinary.some(test))
  }

  /** The piece is the next that the peer is asked for. */
  begin (peer: TaskPeer, index: number): void { this.#of(peer).current = index }

  /**
   * Goes on with what the peer has begun before it takes up another piece, unless a reader waits for that.
   * @param isUrgent a reader waits for the piece
   * @param request asks for a block of the piece; false: there is none to be asked of this peer
   */
  next (peer: TaskPeer, isUrgent: (index: number) => boolean, request: (index: number) => boolean): boolean {
    const queues = this.#queues.get(peer)
    if (queues === undefined) return false
    const { current, urgent, ordinary } = queues
    const isFirst = current !== undefined && (urgent.length === 0 || isUrgent(current))
    if (isFirst && request(current)) return true
    if (beginFirst(queues, urgent, request)) {
      if (!isFirst && current !== undefined) ordinary.push(current)
      return true
    }
    if (!isFirst && current !== undefined && request(current)) return true
    return beginFirst(queues, ordinary, request)
  }

  /** Forgets what is not urgent. */
  clear (peer: TaskPeer): void { this.#queues.get(peer)?.ordinary.clear() }

  /** The peer is gone; gives what it was still to be asked for. */
  * remove (peer: TaskPeer): Generator<number> {
    const queues = this.#queues.get(peer)
    this.#queues.delete(peer)
    for (const queue of queues === undefined ? [] : [queues.urgent, queues.ordinary]) {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) yield index
    }
  }

  #of (peer: TaskPeer): Queues {
    const known = this.#queues.get(peer)
    if (known !== undefined) return known
    const queues: Queues = { ordinary: new PieceQueue(), urgent: new PieceQueue(), current: undefined }
    this.#queues.set(peer, queues)
    return queues
  }
}

/** Takes pieces out of one of the queues until one can be begun. */
function beginFirst (queues: Queues, queue: PieceQueue, request: (index: number) => boolean): boolean {
  for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
    if (!request(index)) continue
    queues.current = index
    return true
  }
  return false
}

/** A first-in first-out queue of piece indices whose `shift` does not move the rest. */
class PieceQueue {
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

/** The pieces to request from each connected peer, in order. Pure. Called by downloader.ts. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { DownloadParts } from './download-host.ts'

/** The pieces that one peer holds and that were missing here when it announced them, oldest first. */
interface Queues {
  readonly ordinary: PieceQueue
  /** those that a reader waits for */
  readonly urgent: PieceQueue
  /** the last piece whose download from this peer has begun */
  current: number | undefined
}

/** The queues of all peers. */
export class PeerQueues {
  readonly #scheduler: Pick<DownloadParts['scheduler'], 'isUrgent'>
  readonly #queues = new Map<TaskPeer, Queues>()

  /** @param scheduler knows which pieces a reader waits for */
  constructor (scheduler: Pick<DownloadParts['scheduler'], 'isUrgent'>) {
    this.#scheduler = scheduler
  }

  push (peer: TaskPeer, index: number): void {
    const { urgent, ordinary } = this.#of(peer)
    ;(this.#scheduler.isUrgent(index) ? urgent : ordinary).push(index)
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

  /** The download of the piece from this peer begins. */
  begin (peer: TaskPeer, index: number): void { this.#of(peer).current = index }

  /**
   * Continues the piece that was begun with the peer before it takes another, unless a reader waits for another.
   * @param request requests a block of the piece; false if none can be requested from this peer
   */
  next (peer: TaskPeer, request: (index: number) => boolean): boolean {
    const queues = this.#queues.get(peer)
    if (queues === undefined) return false
    const { current, urgent, ordinary } = queues
    const isFirst = current !== undefined && (urgent.length === 0 || this.#scheduler.isUrgent(current))
    if (isFirst && request(current)) return true
    if (beginFirst(queues, urgent, request)) {
      if (!isFirst && current !== undefined) ordinary.push(current)
      return true
    }
    if (!isFirst && current !== undefined && request(current)) return true
    return beginFirst(queues, ordinary, request)
  }

  /** Removes the pieces that are not urgent. */
  clear (peer: TaskPeer): void { this.#queues.get(peer)?.ordinary.clear() }

  /** The peer has disconnected. Yields the pieces that were still to be requested from it. */
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

/** Takes pieces from one of the queues until one can be begun. */
function beginFirst (queues: Queues, queue: PieceQueue, request: (index: number) => boolean): boolean {
  for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
    if (!request(index)) continue
    queues.current = index
    return true
  }
  return false
}

/** A first-in first-out queue of piece indices. `shift` does not move the remaining ones. */
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
    // moving them only when half of the array is unused keeps the cost per item constant
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return index
  }
}

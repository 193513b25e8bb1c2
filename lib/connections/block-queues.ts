/**
 * The block queues of one wire of a task. Requests of the peer wait here, in order, until there is room for the block;
 * our own requests wait for the download limit. Data in a stream can be neither taken back nor overtaken. A block is
 * therefore written only when the peer has fetched most of what came before, so that small messages never wait behind
 * many blocks.
 *
 * Each request of the peer is answered once, by its block or by a reject, whatever happens to it (BEP 6). Up to
 * `MAX_PENDING_REQUESTS`, which the extended handshake announces as `reqq` (BEP 10), none is rejected for lack of room.
 * Replaces bittorrent-protocol's `peerRequests`. Called by task-wire.ts for each wire that takes part in a task.
 */
import type { Wire } from '../base/wire.ts'
import type { RateLimit } from './rate-limit.ts'

/** Waiting requests of one peer: as many as common clients keep open (libtorrent: 500). */
export const MAX_PENDING_REQUESTS = 500
/** Bytes of blocks that are being read, or were sent and not fetched yet: enough to avoid waiting for the disk. */
const WINDOW_BYTES = 256 * 1024
/** As in WebTorrent: a peer that asks for more at once is after our memory, not the piece. */
const MAX_BLOCK_BYTES = 128 * 1024

const REQUEST = 6
const CANCEL = 8

interface Block { readonly index: number, readonly offset: number, readonly length: number }
/** One of our requests in bittorrent-protocol. */
interface Request { readonly piece: number, readonly offset: number, readonly length: number }
type Respond = (err: Error | null, block?: Uint8Array) => void

interface BlockWire {
  readonly amChoking: boolean
  readonly hasFast: boolean
  readonly destroyed: boolean
  readonly requests: readonly Request[]
  _onRequest (index: number, offset: number, length: number): void
  _onCancel (index: number, offset: number, length: number): void
  /** null: the block was not requested */
  _callback (request: Request | null, err: Error | null, block: Uint8Array | null): void
  _onTimeout (): void
  _resetTimeout (setAgain: boolean): void
  _message (id: number, numbers: number[], data: Uint8Array | null): void
  _push (data: Uint8Array): unknown
  _write (data: Uint8Array, cb: (err?: Error | null) => void): void
  _read (cb: (err: Error | null) => void): void
  choke (): void
  piece (index: number, offset: number, block: Uint8Array): void
  reject (index: number, offset: number, length: number): void
  destroy (): void
  once (event: 'close', listener: () => void): void
  emit (event: 'request', index: number, offset: number, length: number, respond: Respond): boolean
  emit (event: 'cancel', index: number, offset: number, length: number): boolean
}

/** Installs both queues of the wire. To be called once, after wire-batches.ts. */
export function queueBlocks (wire: Wire, limits: { up: RateLimit, down: RateLimit }): void {
  const blocks = wire as unknown as BlockWire
  new Uploads(blocks, limits.up).install()
  new Requests(blocks, limits.down).install()
}

class Uploads {
  readonly #wire: BlockWire
  readonly #limit: RateLimit
  readonly #waiting: Block[] = []
  /** blocks being read */
  readonly #read = new Set<Block>()
  #isAsking = false
  #stopAsking: () => void = () => {}
  #isSendingBlock = false
  /** bytes of the blocks begun since the peer last had fetched everything */
  #bytes = 0

  constructor (wire: BlockWire, limit: RateLimit) {
    this.#wire = wire
    this.#limit = limit
  }

  install (): void {
    const wire = this.#wire
    const [choke, push] = [wire.choke.bind(wire), wire._push.bind(wire)]
    wire._onRequest = (index, offset, length) => { this.#add({ index, offset, length }) }
    wire._onCancel = (index, offset, length) => {
      const at = this.#waiting.findIndex(
        block => block.index === index && block.offset === offset && block.length === length
      )
      // a block that is being read, or was sent, answers the request itself
      if (at !== -1) this.#refuse(...this.#waiting.splice(at, 1))
      wire.emit('cancel', index, offset, length)
    }
    wire.choke = () => {
      if (wire.amChoking) return
      choke()
      const blocks = [...this.#read, ...this.#waiting]
      this.#forget()
      this.#refuse(...blocks)
    }
    wire._push = data => {
      if (!this.#isSendingBlock) this.#limit.charge(data.length)
      return push(data)
    }
    // streamx calls _read when less than 16 KiB wait for the peer
    wire._read = cb => {
      this.#bytes = 0
      cb(null)
      if (this.#waiting.length > 0) queueMicrotask(() => { this.#serve() })
    }
    wire.once('close', () => { this.#forget() })
  }

  #forget (): void {
    this.#stopAsking()
    this.#isAsking = false
    // they were counted when they were begun, and are not sent any more
    for (const { length } of this.#read) this.#limit.charge(-length)
    this.#waiting.length = 0
    this.#read.clear()
  }

  #refuse (...blocks: Block[]): void {
    if (this.#wire.hasFast) for (const { index, offset, length } of blocks) this.#wire.reject(index, offset, length)
  }

  #add (block: Block): void {
    if (block.length > MAX_BLOCK_BYTES || block.length < 0) return this.#wire.destroy()
    if (this.#wire.amChoking || this.#waiting.length + this.#read.size >= MAX_PENDING_REQUESTS) {
      return this.#refuse(block)
    }
    this.#waiting.push(block)
    this.#serve()
  }

  #serve (): void {
    while (this.#waiting.length > 0 && !this.#isAsking && this.#bytes < WINDOW_BYTES) {
      if (!this.#limit.isOn) {
        this.#begin(this.#waiting.shift()!)
        continue
      }
      this.#isAsking = true
      this.#stopAsking = this.#limit.ask(() => {
        this.#isAsking = false
        const block = this.#waiting.shift()
        if (block === undefined) return
        this.#limit.charge(block.length)
        this.#begin(block)
        // in turn with the other wires
        queueMicrotask(() => { this.#serve() })
      })
    }
  }

  #begin (block: Block): void {
    const { index, offset, length } = block
    this.#read.add(block)
    this.#bytes += length
    this.#wire.emit('request', index, offset, length, (err, data) => { this.#answer(block, err, data) })
  }

  #answer (block: Block, err: Error | null, data?: Uint8Array): void {
    // choked or closed in the meantime, or answered twice
    if (!this.#read.delete(block) || this.#wire.destroyed) return
    if (err !== null || data === undefined) {
      this.#bytes -= block.length
      this.#limit.charge(-block.length)
      this.#refuse(block)
      return queueMicrotask(() => { this.#serve() })
    }
    this.#isSendingBlock = true
    this.#wire.piece(block.index, block.offset, data)
    this.#isSendingBlock = false
  }
}

class Requests {
  readonly #wire: BlockWire
  readonly #limit: RateLimit
  readonly #message: BlockWire['_message']
  /** requests that have not been sent */
  #held: Block[] = []
  /** requests sent and counted, and neither answered nor given up */
  readonly #charged = new Set<Request>()
  #isAsking = false
  #stopAsking: () => void = () => {}

  constructor (wire: BlockWire, limit: RateLimit) {
    this.#wire = wire
    this.#limit = limit
    this.#message = wire._message.bind(wire)
  }

  install (): void {
    const wire = this.#wire
    const [write, callback, onTimeout] = [wire._write.bind(wire), wire._callback.bind(wire), wire._onTimeout.bind(wire)]
    wire._message = (id, numbers, data) => {
      const [index = 0, offset = 0, length = 0] = numbers
      if (id === REQUEST && (this.#limit.isOn || this.#held.length > 0)) this.#hold({ index, offset, length })
      else if (id !== CANCEL || !this.#drop({ index, offset, length })) this.#message(id, numbers, data)
    }
    wire._write = (data, cb) => {
      this.#limit.charge(data.length)
      write(data, cb)
    }
    // each request ends here: by its block, which was counted when it arrived, or without one
    wire._callback = (request, err, block) => {
      if (request && this.#charged.delete(request)) this.#limit.charge(-request.length)
      callback(request, err, block)
    }
    // the peer cannot answer a request that has not been sent
    wire._onTimeout = () => {
      if (this.#held.length > 0 && this.#held.length >= wire.requests.length) wire._resetTimeout(true)
      else onTimeout()
    }
    wire.once('close', () => {
      this.#held = []
      this.#stopAsking()
    })
  }

  #hold (block: Block): void {
    this.#held.push(block)
    this.#ask()
  }

  #ask (): void {
    if (this.#isAsking || this.#held.length === 0) return
    this.#isAsking = true
    this.#stopAsking = this.#limit.ask(() => {
      this.#isAsking = false
      const block = this.#held.shift()
      if (block !== undefined) this.#send(block)
      // in turn with the other wires
      queueMicrotask(() => { this.#ask() })
    })
  }

  #send ({ index, offset, length }: Block): void {
    // skips requests that a choke without BEP 6 has ended
    const request = this.#wire.requests.find(each => {
      return each.piece === index && each.offset === offset && each.length === length && !this.#charged.has(each)
    })
    if (request === undefined) return
    this.#charged.add(request)
    this.#limit.charge(length)
    this.#message(REQUEST, [index, offset, length], null)
  }

  #drop ({ index, offset, length }: Block): boolean {
    const at = this.#held.findIndex(
      block => block.index === index && block.offset === offset && block.length === length
    )
    if (at === -1) return false
    this.#held.splice(at, 1)
    return true
  }
}

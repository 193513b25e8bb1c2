/**
 * A peer driven by hand: bytes on a socket, and what comes back. It connects only to peers of a test's own task, on
 * this machine; what it sends is up to the test.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import bencode from 'bencode'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import type { Task } from '../../lib/index.ts'
import type { Peer } from './task-swarm.ts'

const HANDSHAKE_BYTES = 68
/** The ids under which it takes extended messages. */
const OUR_IDS = { ut_bitworker: 1, ut_metadata: 2, ut_pex: 3, lt_donthave: 4 }

/** Big-endian. */
export function u32 (...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  values.forEach((value, i) => { bytes.writeUInt32BE(value, 4 * i) })
  return bytes
}

/** Bytes of a string, one for each character. */
export function latin1 (text: string): Buffer { return Buffer.from(text, 'latin1') }

/** One record of `results`, about data that nobody has. */
export function resultRecord (index: number, size = 100): Buffer {
  const digest = createHash('sha256').update(`never ${index}`).digest()
  return Buffer.concat([u32(index, 0, size), digest])
}

/** A message with its length. */
export function frame (id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u32(1 + payload.length), Uint8Array.of(id), payload])
}

/** What a message says by ut_bitworker; null if it is another one. */
export function bitworkerMessage (id: number, payload: Buffer): Record<string, Buffer> | null {
  if (id !== 20 || payload[0] !== OUR_IDS.ut_bitworker) return null
  const dict = bencode.decode(payload.subarray(1)) as Record<string, Uint8Array>
  return Object.fromEntries(Object.entries(dict).map(([key, value]) => [key, Buffer.from(value)]))
}

/** How it connects. */
export interface HostileOptions {
  /** this end's address on the loopback: another one looks like another host */
  localAddress?: string
  peerId?: Uint8Array
}

/** One connection to a victim. */
export class HostilePeer {
  readonly socket: Socket
  readonly peerId: Uint8Array
  /** for whoever plays it, to count */
  turns = 0
  /** of the victim's handshake, once it has told one */
  theirNonce: Uint8Array | null = null
  readonly #task: Task
  readonly #arrived: Array<{ id: number, payload: Buffer }> = []
  #buffer = Buffer.alloc(0)
  #isShaking = true
  #taken = 0
  #theirIds: Record<string, number> = {}
  #onMessage: () => void = () => {}

  private constructor (socket: Socket, task: Task, peerId: Uint8Array) {
    this.socket = socket
    this.peerId = peerId
    this.#task = task
    socket.on('error', () => {})
    socket.on('data', data => { this.#read(data) })
    socket.on('close', () => { this.#onMessage() })
  }

  /** Connects to a client of this process, and says nothing. */
  static async connect (t: Test, victim: Peer, task: Task, options?: HostileOptions): Promise<HostilePeer> {
    const peer = await HostilePeer.open(victim.client.torrentPort, task, options)
    t.teardown(() => { peer.socket.destroy() })
    return peer
  }

  /** Connects to a port on this machine; the caller closes the socket. */
  static async open (
    port: number, task: Task, { localAddress, peerId = randomBytes(20) }: HostileOptions = {}
  ): Promise<HostilePeer> {
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress !== undefined && { localAddress }) })
    await once(socket, 'connect')
    return new HostilePeer(socket, task, peerId)
  }

  /** It knows by which ids the victim takes extended messages. */
  get isIntroduced (): boolean { return Object.keys(this.#theirIds).length > 0 }

  get isClosed (): boolean { return this.socket.destroyed || this.socket.readableEnded }

  /** Handshake and extended handshake; resolves when both have been answered, or the connection was closed. */
  async introduce (more: Record<string, Encodable> = {}): Promise<this> {
    this.sendHandshake()
    this.extended(0, encode({ m: OUR_IDS, bitworker: { v: 1, task: this.#task.digest }, ...more }))
    await this.until(() => this.isIntroduced)
    return this
  }

  sendHandshake (infoHash = this.#task.infoHash): void {
    this.send(latin1('\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04'), Buffer.from(infoHash, 'hex'), this.peerId)
  }

  send (...bytes: Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes))
  }

  /** An extended message; `name` is an extension or a number. */
  extended (name: string | number, payload: Uint8Array): void {
    const id = typeof name === 'number' ? name : this.#theirIds[name] ?? 99
    this.send(frame(20, Buffer.concat([Uint8Array.of(id), payload])))
  }

  /** A ut_bitworker message. */
  bitworker (dict: Record<string, Encodable>): void { this.extended('ut_bitworker', encode(dict)) }

  /** Says that it has every piece, with a result for each that nobody has. */
  pretend (size = 100): void {
    const { pieceCount } = this.#task
    this.bitworker({
      results: Buffer.concat(Array.from({ length: pieceCount }, (_, index) => resultRecord(index, size)))
    })
    this.send(frame(14), frame(1))
  }

  /** Messages that came with this id. */
  received (id: number): Buffer[] {
    return this.#arrived.filter(message => message.id === id).map(({ payload }) => payload)
  }

  /** All messages, in the order in which they came. */
  get messages (): ReadonlyArray<{ id: number, payload: Buffer }> { return this.#arrived }

  /** The ut_bitworker messages among them. */
  get bitworkerMessages (): Array<Record<string, Buffer>> {
    return this.#arrived.map(({ id, payload }) => bitworkerMessage(id, payload)).filter(message => message !== null)
  }

  /** Requests that came since the last time. */
  takeRequests (): Buffer[] {
    const requests = this.received(6).slice(this.#taken)
    this.#taken += requests.length
    return requests
  }

  /** Resolves when it is so, or the connection was closed. */
  async until (isSo: () => boolean): Promise<void> {
    while (!isSo() && !this.isClosed) await new Promise<void>(resolve => { this.#onMessage = resolve })
  }

  /**
   * Resolves when the victim has read everything sent so far: it answers a request of metadata. Or when it has closed.
   */
  async heard (): Promise<void> {
    const before = this.received(20).length
    this.extended('ut_metadata', encode({ msg_type: 0, piece: 0 }))
    await this.until(() => this.received(20).slice(before).some(payload => payload[0] === OUR_IDS.ut_metadata))
  }

  /** Resolves when the victim has closed the connection. */
  async closed (): Promise<void> { await this.until(() => false) }

  #read (data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data])
    if (this.#isShaking && this.#buffer.length >= HANDSHAKE_BYTES) {
      this.#isShaking = false
      this.#buffer = this.#buffer.subarray(HANDSHAKE_BYTES)
    }
    while (!this.#isShaking && this.#buffer.length >= 4) {
      const end = 4 + this.#buffer.readUInt32BE(0)
      if (this.#buffer.length < end) break
      if (end > 4) this.#onFrame(this.#buffer[4]!, Buffer.from(this.#buffer.subarray(5, end)))
      this.#buffer = this.#buffer.subarray(end)
    }
    this.#onMessage()
  }

  #onFrame (id: number, payload: Buffer): void {
    this.#arrived.push({ id, payload })
    if (id !== 20 || payload[0] !== 0) return
    const { m, bitworker } = bencode.decode(payload.subarray(1)) as
      { m: Record<string, number>, bitworker?: { nonce?: Uint8Array } }
    this.#theirIds = m
    this.theirNonce = bitworker?.nonce ?? this.theirNonce
  }
}

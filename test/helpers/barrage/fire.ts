/** Inputs for real sockets: mutated as the fuzzer does, as many at a time as are known to have been taken in. */
import { createSocket } from 'node:dgram'
import type { Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { TcpNetConnectOpts } from 'node:net'
import { corpusOf } from '../fuzz-corpus.ts'
import type { FuzzTarget } from '../fuzzer.ts'
import { mutate } from '../fuzzer.ts'

/**
 * After so many datagrams the receiver is asked whether it is still there, or the kernel would drop what comes; the
 * next ones are on their way meanwhile.
 */
const VOLLEY = 64
const AGAIN_MS = 500
const CONNECTIONS = 24
/** A connection on which nobody says anything is ended, then given up. */
const PATIENCE_MS = 200
const SILENCE_MS = 5_000

/** Makes inputs. */
export type Source = () => Uint8Array

/** What a target of the fuzzer is given. */
export function sourceOf (
  { name, seeds, tokens }: Pick<FuzzTarget, 'name' | 'seeds' | 'tokens'>, random: (n: number) => number
): Source {
  const corpus = [...seeds, ...corpusOf(name)]
  return () => mutate(corpus, tokens, random)
}

/** Asks until there is an answer: an echo, of a DHT node or a tracker, by UDP. */
export class Echo {
  readonly #socket: DatagramSocket
  readonly #question: Uint8Array
  readonly #address: string
  readonly #timers = new Set<NodeJS.Timeout>()
  port = 0

  private constructor (socket: DatagramSocket, question: Uint8Array, address: string) {
    this.#socket = socket
    this.#question = question
    this.#address = address
    // the receiver may have ended; several wait at once
    socket.on('error', () => {}).setMaxListeners(0)
  }

  static async open (question: Uint8Array, address: string): Promise<Echo> {
    const socket = createSocket('udp4').bind(0, address)
    await once(socket, 'listening')
    return new Echo(socket, question, address)
  }

  /** Looks for the port that answers. */
  async find (ports: number[]): Promise<void> { this.port = await this.#answered(ports) }

  async ask (): Promise<void> { await this.#answered([this.port]) }

  close (): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#socket.close()
  }

  async #answered (ports: number[]): Promise<number> {
    const ask = (): void => { for (const port of ports) this.#socket.send(this.#question, port, this.#address) }
    const timer = setInterval(ask, AGAIN_MS)
    this.#timers.add(timer)
    ask()
    const [, from] = await once(this.#socket, 'message') as [Buffer, { port: number }]
    this.#timers.delete(timer)
    clearInterval(timer)
    return from.port
  }
}

/** Where datagrams go to, and from which socket. */
export interface Aim { socket: DatagramSocket, port: number, address?: string }

/** Sends datagrams; `wait` resolves when what was sent has been taken in. */
export async function fireDatagrams (
  { socket, port, address = '127.0.0.1' }: Aim, source: Source, count: number, wait: () => Promise<void>
): Promise<void> {
  let isTaken = Promise.resolve()
  for (let sent = 0; sent < count; sent++) {
    socket.send(source(), port, address)
    if (sent % VOLLEY < VOLLEY - 1) continue
    await isTaken
    isTaken = wait()
  }
  await isTaken
  await wait()
}

/**
 * Sends inputs over TCP, by turns from many addresses: the next one over the same connection when something has come
 * for the one before, unless each is to have a connection of its own, which is left then.
 */
export async function fireConnections (
  port: number, source: Source, count: number, hasOne: boolean
): Promise<void> {
  let left = count
  let number = 0
  const next = (): Uint8Array | null => left-- > 0 ? source() : null
  const worker = async (): Promise<void> => {
    for (let input = next(); input !== null; input = next()) {
      const localAddress = `127.0.${1 + ((number >> 8) % 200)}.${1 + (number++ % 250)}`
      await oneConnection({ port, host: '127.0.0.1', localAddress }, input, hasOne ? null : next)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
}

async function oneConnection (
  to: TcpNetConnectOpts, first: Uint8Array, next: (() => Uint8Array | null) | null
): Promise<void> {
  const socket = connect(to)
  socket.on('error', () => {}) // refused, or closed by the other side
  const closed = new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
  socket.on('data', () => {
    const input = next?.() ?? null
    if (input === null) socket.destroy()
    else socket.write(input)
  })
  // what was half a request is all there is
  socket.setTimeout(PATIENCE_MS, () => {
    if (socket.writableEnded) {
      socket.destroy()
    } else {
      socket.end()
      socket.setTimeout(SILENCE_MS)
    }
  })
  if (next === null) socket.end(first)
  else socket.write(first)
  await closed
}

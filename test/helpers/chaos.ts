/**
 * A swarm of real processes in which nothing is reliable: one is killed and started again every second, and hostile
 * peers sit on every connection they can get. Loopback only.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import Tracker from 'bittorrent-tracker/server'
import { createTask, encodeTask } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'
import { randomSource } from './fuzzer.ts'
import { HostilePeer, frame, u32 } from './hostile-peer.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
const PIECE_BYTES = 5000

/** A run. */
export interface ChaosOptions {
  /** an empty folder */
  dir: string
  peers: number
  pieces: number
  pieceSeconds: number
  killEveryMs: number
  seed: number
  deadlineMs: number
  log: (line: string) => void
}

/** What came of it. */
export interface ChaosReport {
  ms: number
  kills: number
  /** of each peer's file, in hex */
  digests: string[]
  expected: string
  /**
   * work items that ended with a result, in all: more than pieces where a peer was killed before others had what it
   * computed
   */
  computed: number
  /** of hostile peers, as the honest ones said */
  bans: number
  strikes: number
}

/** Runs it. Rejects at the deadline. */
export async function runChaos (options: ChaosOptions): Promise<ChaosReport> {
  const run = new Chaos(options)
  try {
    return await run.play()
  } finally {
    await run.end()
  }
}

class Chaos {
  readonly #options: ChaosOptions
  readonly #random: (n: number) => number
  readonly #task: Task
  readonly #peers: Honest[] = []
  readonly #tracker = new Tracker({ http: true, udp: false, ws: false })
  #isOver = false

  constructor (options: ChaosOptions) {
    this.#options = options
    this.#random = randomSource(options.seed)
    this.#task = createTask({
      name: 'out.bin',
      parts: options.pieces,
      pieceLength: 8192,
      command: `sleep ${options.pieceSeconds}; head -c ${PIECE_BYTES} /dev/zero | tr '\\0' "$(printf %03d $PIECE_IDX | tail -c 1)"`
    })
  }

  async play (): Promise<ChaosReport> {
    const { dir, peers, killEveryMs, deadlineMs, log } = this.#options
    const start = performance.now()
    this.#tracker.listen(0, { http: '127.0.0.1' })
    await once(this.#tracker, 'listening')
    const announce = `http://127.0.0.1:${(this.#tracker.http!.address() as { port: number }).port}/announce`
    const file = join(dir, 'chaos.bitworker')
    writeFileSync(file, encodeTask(this.#task))
    for (let i = 0; i < peers; i++) this.#peers.push(new Honest(file, join(dir, String(i)), announce, i))
    const hostile = Object.entries(HOSTILE).map(async ([name, play]) => this.#haunt(name, play))
    let [kills, killedAt, stepsBefore] = [0, start, 0]
    for (;;) {
      await Promise.race([sleep(killEveryMs), this.#changed()])
      if (performance.now() - start > deadlineMs) {
        throw new Error(`not done within ${deadlineMs} ms: ${this.#peers.map(peer => peer.state).join(', ')}`)
      }
      // then the rest is left in peace: the last could be killed for ever
      if (this.#peers.every(peer => peer.wasDone)) break
      // where processes start slowly, a kill a second would leave nobody to compute: each one costs a step
      if (performance.now() - killedAt < killEveryMs || this.#steps === stepsBefore) continue
      const running = this.#peers.filter(peer => peer.port !== 0)
      if (running.length === 0) continue
      kills++
      killedAt = performance.now()
      stepsBefore = this.#steps
      await running[this.#random(running.length)]!.killAndRestart(log)
    }
    while (!this.#peers.every(peer => peer.isDone)) {
      if (performance.now() - start > deadlineMs) {
        throw new Error(`not done again within ${deadlineMs} ms: ${this.#peers.map(peer => peer.state).join(', ')}`)
      }
      await Promise.race([sleep(killEveryMs), this.#changed()])
    }
    this.#isOver = true
    await Promise.all(hostile)
    return {
      ms: performance.now() - start,
      kills,
      expected: this.#expected(),
      digests: this.#peers.map(peer =>
        createHash('sha256')
          .update(readFileSync(join(peer.dir, 'out.bin')))
          .digest('hex')
      ),
      ...this.#counts()
    }
  }

  async end (): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#peers.map(peer => peer.end()))
    await new Promise<void>(resolve => { this.#tracker.close(() => { resolve() }) })
  }

  /** Pieces that somebody got, in all. */
  get #steps (): number {
    return this.#peers.reduce((sum, { events }) => sum + (events['computed'] ?? 0) + (events['downloaded'] ?? 0), 0)
  }

  #counts (): Pick<ChaosReport, 'computed' | 'bans' | 'strikes'> {
    const sum = (event: string): number => this.#peers.reduce((total, peer) => total + (peer.events[event] ?? 0), 0)
    return { computed: sum('computed'), bans: sum('ban'), strikes: sum('strike') }
  }

  async #changed (): Promise<void> {
    await Promise.race(this.#peers.map(peer => peer.changed()))
  }

  #expected (): string {
    const hash = createHash('sha256')
    for (let index = 0; index < this.#options.pieces; index++) {
      hash.update(Buffer.alloc(PIECE_BYTES, String(index % 10)))
    }
    return hash.digest('hex')
  }

  /** One hostile peer: connected to everybody all the time, as far as it is let in. */
  async #haunt (name: string, play: (peer: HostilePeer, task: Task) => void): Promise<void> {
    const peerId = randomBytes(20)
    const open = new Map<Honest, HostilePeer>()
    let connections = 0
    while (!this.#isOver) {
      for (const honest of this.#peers) {
        if (honest.port === 0 || open.get(honest)?.isClosed === false) continue
        const peer = await HostilePeer.open(honest.port, this.#task, { peerId }).catch(() => null)
        if (peer === null) continue
        open.set(honest, peer)
        connections++
        void peer.introduce()
      }
      for (const peer of open.values()) if (!peer.isClosed && peer.isIntroduced) play(peer, this.#task)
      await sleep(250)
    }
    for (const { socket } of open.values()) socket.destroy()
    this.#options.log(`the one that ${name} made ${connections} connections`)
  }
}

/** What each of them does, four times a second on each connection. */
const HOSTILE: Record<string, (peer: HostilePeer, task: Task) => void> = {
  poisons: peer => {
    if (peer.turns++ === 0) peer.pretend(PIECE_BYTES)
    for (const request of peer.takeRequests()) {
      peer.send(
        frame(7, Buffer.concat([request.subarray(0, 8), randomBytes(Math.min(request.readUInt32BE(8), 16_384))]))
      )
    }
  },
  squats: (peer, { pieceCount }) => {
    const claims = Array.from({ length: Math.min(64, pieceCount) }, (_, index) => u32(index, 2 ** 31, 1000))
    if (peer.turns++ % 8 === 0) peer.bitworker({ claims: Buffer.concat(claims) })
  },
  floods: peer => {
    if (peer.socket.writableLength > 1 << 16) return // it is read slowly
    const index = peer.turns++
    peer.send(
      ...Array.from({ length: 200 }, () =>
        Buffer.concat([frame(2), frame(4, u32(0)), frame(6, u32(index, 0, 16_384)), frame(3)])
      )
    )
    for (let i = 0; i < 100; i++) peer.bitworker(i % 2 === 0 ? { claims: u32(0, 1, 1) } : { releases: u32(0) })
  }
}

/** One honest peer: a process, and the next one when it was killed. */
class Honest {
  readonly dir: string
  readonly index: number
  readonly events: Record<string, number> = {}
  port = 0
  /** now, or before it was killed again */
  wasDone = false
  isDone = false
  readonly #args: string[]
  #child: ChildProcess
  #wake: () => void = () => {}

  constructor (file: string, dir: string, announce: string, index: number) {
    this.dir = dir
    this.index = index
    mkdirSync(dir, { recursive: true })
    this.#args = [
      MAIN,
      'run',
      file,
      '-o',
      dir,
      '--yes',
      '--verify', 'off', // they are machines of one owner
      '--json',
      '-j',
      '1',
      '--announce',
      announce,
      '--no-dht',
      '--no-lsd',
      '--no-nat',
      '--no-utp'
    ]
    this.#child = this.#start()
  }

  get state (): string { return `${this.index}: ${this.isDone ? 'done' : JSON.stringify(this.events)}` }

  async changed (): Promise<void> { await new Promise<void>(resolve => { this.#wake = resolve }) }

  async killAndRestart (log: (line: string) => void): Promise<void> {
    log(`kill -9 of peer ${this.index}`)
    await this.end()
    this.#child = this.#start()
  }

  async end (): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, 'close')
      this.#child.kill('SIGKILL')
      await closed
    }
    this.port = 0
    this.isDone = false
  }

  #start (): ChildProcess {
    const child = spawn(process.execPath, this.#args, {
      stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, SHELL: '/bin/bash' }
    })
    createInterface({ input: child.stdout }).on('line', line => {
      this.#onEvent(JSON.parse(line) as { event: string, port?: number })
    })
    return child
  }

  #onEvent ({ event, port = 0 }: { event: string, port?: number }): void {
    this.events[event] = (this.events[event] ?? 0) + 1
    if (event === 'listening') this.port = port
    if (event !== 'done') return
    this.isDone = this.wasDone = true
    this.#wake()
  }
}

async function sleep (ms: number): Promise<void> {
  await new Promise(resolve => { setTimeout(resolve, ms) })
}

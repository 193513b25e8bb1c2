/**
 * Honest peers and a liar of one kind, as clients of the library in this process with real connections on loopback.
 * Machines are functions, so a piece takes as long as is said, and each seed gives the same lies.
 */
import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Wire } from '../../lib/base/wire.ts'
import { hexOf } from '../../lib/base/digest.ts'
import { seeded } from '../../bench/simulator/random.ts'
import BitWorker, { createTask } from '../../lib/index.ts'
import type { ComputeTorrent, Task } from '../../lib/index.ts'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import type { VerifyingOptions } from '../../lib/webtorrent/verify-types.ts'
import { FakeExecutor } from './fake-executor.ts'

const CLIENT = {
  dht: false, tracker: false, lsd: false, natUpnp: false, natPmp: false, utp: false, secure: 0
} as const
const HONEST = 3
/** Messages that are on their way when all are done have arrived after so many pieces' time. */
const LINGER_PIECES = 10

/** How a swarm goes. */
export interface SwarmOptions {
  kind: string
  seed: number
  /** default: 120 */
  pieces?: number
  /** what a piece takes; default 40 */
  pieceMs?: number
  /** the first honest peer is a member of a key that all honest peers trust */
  hasMember: boolean
}

/** What became of it. */
export interface SwarmReport {
  /** wrong lines in the files of honest peers: when each was done first, and when all had been done for a while */
  wrongFirst: number
  wrong: number
  /** work items that honest machines began */
  items: number
  /** lies that were told */
  lies: number
  /** honest peers that suspended, or excluded, a key of the liar; and one of an honest peer */
  suspectedBy: number
  excludedBy: number
  honestSuspected: number
  honestExcluded: number
}

/** One client. */
interface Member { client: BitWorker, torrent: ComputeTorrent, path: string, key: KeyObject }

type Machine = (piece: number) => Promise<string> | string

const wait = async (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

function isMet (wire: Wire): boolean {
  return (wire as Wire & { ut_bitworker?: { state: { status: string } } }).ut_bitworker?.state.status === 'matched'
}

/** Peers that noted one of these keys. */
function by (notes: Map<string, Set<number>>, keys: Set<string>): number {
  const peers = new Set<number>()
  for (const [key, noted] of notes) if (keys.has(key)) for (const peer of noted) peers.add(peer)
  return peers.size
}

/** One swarm. */
class LiarSwarm {
  readonly options: Required<Pick<SwarmOptions, 'pieces' | 'pieceMs'>> & SwarmOptions
  readonly random: () => number
  readonly task: Task
  readonly honest: Member[] = []
  /** the liar's clients, and its keys, those of the past too */
  readonly liars = new Set<Member>()
  readonly lyingKeys = new Set<string>()
  readonly #executors: FakeExecutor[] = []
  readonly #connections = new Map<Member, number>()
  readonly #suspected = new Map<string, Set<number>>()
  readonly #excluded = new Map<string, Set<number>>()
  readonly #trusted: KeyObject = generateKeyPairSync('ed25519').privateKey
  lies = 0
  isOver = false

  constructor (options: SwarmOptions) {
    this.options = { pieces: 120, pieceMs: 40, ...options }
    this.random = seeded(options.seed)
    this.task = createTask({
      name: 'out', command: `true ${options.seed}`, parts: this.options.pieces, pieceLength: 100, deterministic: true
    })
  }

  /** The share of the pieces that some honest peer has stored. */
  get progress (): number {
    return Math.max(...this.honest.map(({ torrent }) => torrent.stats().stored)) / this.options.pieces
  }

  async right (piece: number, ms = this.options.pieceMs): Promise<string> {
    if (ms > 0) await wait(ms)
    return `right ${piece}\n`
  }

  async lie (piece: number, ms = 0, which = 0): Promise<string> {
    this.lies++
    if (ms > 0) await wait(ms)
    return `wrong ${which} ${piece}\n`
  }

  async join (verifying: VerifyingOptions, key = generateKeyPairSync('ed25519').privateKey): Promise<Member> {
    const at = mkdtempSync(path.join(tmpdir(), 'bitworker-liars-'))
    const client = new BitWorker(CLIENT)
    client.on('error', err => { throw err })
    if (!client.listening) await once(client, 'listening')
    const torrent = client.add(this.task, { path: at, verifying: { key, ...verifying } })
    if (!torrent.ready) await once(torrent, 'ready')
    return { client, torrent, path: at, key }
  }

  async joinHonest (i: number): Promise<void> {
    const { hasMember } = this.options
    const verifying: VerifyingOptions = {
      policy: { kind: 'audit' },
      ...(hasMember && { trustedKeys: [hexOf(publicKeyOf(this.#trusted))] }),
      ...(hasMember && i === 0 && { member: this.#trusted })
    }
    const member = await this.join(verifying)
    this.honest[i] = member
    const note = (notes: Map<string, Set<number>>, key: string): void => {
      notes.set(key, (notes.get(key) ?? new Set()).add(i))
    }
    member.torrent.on('suspected', ({ key }) => { note(this.#suspected, key) })
    member.torrent.on('excluded', ({ key }) => { note(this.#excluded, key) })
  }

  /** A client of the liar. It believes all it hears. */
  async joinLiar (key?: KeyObject, policy: VerifyingOptions['policy'] = { kind: 'off' }): Promise<Member> {
    const member = await this.join({ policy }, key)
    this.liars.add(member)
    this.lyingKeys.add(hexOf(publicKeyOf(member.key)))
    return member
  }

  async leave (member: Member): Promise<void> {
    this.liars.delete(member)
    await new Promise<void>(resolve => { member.client.destroy(() => { resolve() }) })
    rmSync(member.path, { recursive: true, force: true, maxRetries: 5 })
  }

  connect (one: Member, others: Iterable<Member>): void {
    for (const other of others) {
      one.torrent.addPeer(`127.0.0.1:${other.client.torrentPort}`)
      for (const member of [one, other]) this.#connections.set(member, (this.#connections.get(member) ?? 0) + 1)
    }
  }

  /** Resolves when all who were connected so far know each other. */
  async met (): Promise<void> {
    for (const [{ torrent }, count] of this.#connections) {
      while (torrent.wires.filter(isMet).length < count) await wait(5)
    }
  }

  compute ({ torrent }: Member, machine: Machine): FakeExecutor {
    const executor = new FakeExecutor(async ({ env }) => ({ stdout: await machine(Number(env['PIECE_IDX'])) }))
    torrent.startComputing({ slots: 1, executor })
    return executor
  }

  computeHonestly (member: Member, machine: Machine = async piece => this.right(piece)): void {
    this.#executors.push(this.compute(member, machine))
  }

  wrongIn ({ path: at }: Member): number {
    const lines = readFileSync(path.join(at, 'out'), 'utf8').split('\n')
    return lines.filter(line => line !== '' && !line.startsWith('right')).length
  }

  report (wrongFirst: number): SwarmReport {
    const honest = new Set(this.honest.map(({ key }) => hexOf(publicKeyOf(key))))
    return {
      wrongFirst,
      wrong: this.honest.reduce((sum, member) => sum + this.wrongIn(member), 0),
      items: this.#executors.reduce((sum, { items }) => sum + items.length, 0),
      lies: this.lies,
      suspectedBy: by(this.#suspected, this.lyingKeys),
      excludedBy: by(this.#excluded, this.lyingKeys),
      honestSuspected: by(this.#suspected, honest),
      honestExcluded: by(this.#excluded, honest)
    }
  }
}

/** `join`: before the honest ones begin; `start`: as soon as they do. */
interface Kind {
  join? (swarm: LiarSwarm): Promise<void>
  start? (swarm: LiarSwarm): Promise<void> | void
  /** what the last honest machine gives */
  broken?: (swarm: LiarSwarm) => Machine
}

const isDone = async ({ torrent }: Member): Promise<void> => { if (!torrent.done) await once(torrent, 'done') }

/** It takes part from the beginning, with a key of its own. */
function partner (machine: (swarm: LiarSwarm) => Machine): Kind {
  return {
    join: async swarm => { swarm.connect(await swarm.joinLiar(), swarm.honest) },
    start: swarm => { for (const member of swarm.liars) swarm.compute(member, machine(swarm)) }
  }
}

/** Lies about a part of the pieces, always the same ones. */
function lieAbout ({ random, options }: LiarSwarm, part: number): Set<number> {
  return new Set(Array.from({ length: options.pieces }, (_, piece) => piece).filter(() => random() < part))
}

/** Two keys that sign the same lies about a part of the pieces, and whatever else was said, at no cost. */
function pair (part: number): Kind {
  return {
    join: async swarm => {
      const one = await swarm.joinLiar(undefined, { kind: 'all' })
      const other = await swarm.joinLiar(undefined, { kind: 'all' })
      swarm.connect(one, swarm.honest)
      swarm.connect(other, [...swarm.honest, one])
    },
    start: swarm => {
      const lies = lieAbout(swarm, part)
      const known = new Set<number>()
      for (const { torrent } of swarm.honest) torrent.on('computed', ({ piece }) => { known.add(piece) })
      for (const member of swarm.liars) {
        swarm.compute(member, async piece => {
          if (lies.has(piece)) return swarm.lie(piece)
          const isCopied = known.has(piece)
          known.add(piece)
          return swarm.right(piece, isCopied ? 1 : swarm.options.pieceMs)
        })
      }
    }
  }
}

/** With a new key each time: lies about this part of what it computes until it is replaced. */
function renewed (part: number, everyPieces: number): Kind {
  return {
    start: async swarm => {
      const { pieceMs } = swarm.options
      const live = async (): Promise<void> => {
        while (!swarm.isOver) {
          const member = await swarm.joinLiar()
          swarm.connect(member, swarm.honest)
          swarm.compute(member, async piece => swarm.random() < part ? swarm.lie(piece) : swarm.right(piece))
          for (let i = 0; i < everyPieces && !swarm.isOver; i++) await wait(pieceMs)
          await swarm.leave(member)
        }
      }
      void live()
    }
  }
}

/** Those who lie. */
export const KINDS: Record<string, Kind> = {
  nobody: {},
  'all at once': {
    join: async swarm => {
      const member = await swarm.joinLiar()
      swarm.compute(member, async piece => swarm.lie(piece))
      await isDone(member)
      swarm.connect(member, swarm.honest)
    }
  },
  'from half-time': partner(swarm => async piece => swarm.progress > 0.5 ? swarm.lie(piece) : swarm.right(piece)),
  'one in ten': partner(swarm => async piece => (
    swarm.random() < 0.1 ? swarm.lie(piece, swarm.options.pieceMs) : swarm.right(piece)
  )),
  equivocator: {
    join: async swarm => {
      const { privateKey } = generateKeyPairSync('ed25519')
      for (const honest of swarm.honest) swarm.connect(await swarm.joinLiar(privateKey), [honest])
    },
    start: swarm => {
      const lies = lieAbout(swarm, 0.5)
      for (const [which, member] of [...swarm.liars].entries()) {
        swarm.compute(member, async piece => (
          lies.has(piece) ? swarm.lie(piece, swarm.options.pieceMs, which) : swarm.right(piece)
        ))
      }
    }
  },
  'two who vouch': pair(0.3),
  'two who vouch, one in ten': pair(0.1),
  'new keys': renewed(1, 20),
  'new keys, half right': renewed(0.5, 20),
  'broken memory': {
    broken: swarm => async piece => {
      const isWrong = swarm.random() < 0.01
      if (isWrong) swarm.lies++
      await wait(swarm.options.pieceMs)
      return isWrong ? `wrong ${swarm.random()} ${piece}\n` : `right ${piece}\n`
    }
  }
}

/** Runs one swarm until all honest peers are done. Rejects if one is not in time. */
export async function liarSwarm (options: SwarmOptions): Promise<SwarmReport> {
  const kind = KINDS[options.kind]
  if (kind === undefined) throw new Error(`no liar is called ${options.kind}: ${Object.keys(KINDS).join(', ')}`)
  const swarm = new LiarSwarm(options)
  const { pieceMs, pieces } = swarm.options
  const count = kind.broken === undefined ? HONEST : HONEST + 1
  for (let i = 0; i < count; i++) await swarm.joinHonest(i)
  for (const [i, member] of swarm.honest.entries()) swarm.connect(member, swarm.honest.slice(0, i))
  try {
    await kind.join?.(swarm)
    await swarm.met()
    let wrongFirst = 0
    const ends = swarm.honest.map(async member => {
      await isDone(member)
      wrongFirst += swarm.wrongIn(member)
    })
    for (const [i, member] of swarm.honest.entries()) {
      swarm.computeHonestly(member, i < HONEST ? undefined : kind.broken!(swarm))
    }
    await kind.start?.(swarm)
    const late = AbortSignal.timeout(60_000 + 20 * pieces * pieceMs)
    await Promise.race([Promise.all(ends), once(late, 'abort').then(() => { throw new Error(lateness(swarm)) })])
    swarm.isOver = true
    await wait(LINGER_PIECES * pieceMs)
    for (const member of swarm.honest) await isDone(member)
    return swarm.report(wrongFirst)
  } finally {
    swarm.isOver = true
    for (const member of [...swarm.liars, ...swarm.honest]) await swarm.leave(member)
  }
}

function lateness ({ honest }: LiarSwarm): string {
  return `not done: ${honest.map(({ torrent }) => JSON.stringify({ done: torrent.done, ...torrent.stats() })).join(', ')}`
}

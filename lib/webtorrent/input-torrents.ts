/**
 * The torrents and earlier tasks of a task's inputs. Peers of the task are tried as peers of its inputs. Made by
 * compute-control.ts; lib/inputs/supply.ts decides what is downloaded.
 */
import { findTask } from '../inputs/registry.ts'
import type {
  InputContent, InputEvents, InputStageEvents, InputTorrentEvents, InputTorrents
} from '../inputs/supply-types.ts'
import { traceOf } from '../base/trace.ts'
import type { OutputInput, TaskInput, TorrentInput } from '../task/types.ts'
import { foundBy } from '../inputs/places.ts'
import { SharedInput } from './shared-input.ts'
import type { InputOptions } from './options.ts'
import type { InputClient, ParentTorrent } from './input-types.ts'
import type { Torrent } from './public-types.ts'
import { SharedStage } from './shared-stage.ts'
import type { Wire } from './types.ts'

const trace = traceOf('inputs')

/** By client and key, see `keyOf`. */
const shared = new WeakMap<object, Map<string, AnyShared>>()
/** Those that are closing, likewise: the next one takes their place in the cache. */
const closing = new WeakMap<object, Map<string, Promise<void>>>()

type AnyShared = SharedInput | SharedStage
type User<Events, Input> = [events: Events, input: Input, pieceCount: number]

/** The common part of input torrents and earlier tasks. */
interface Shared<Events, Input> {
  use (events: Events, input: Input, pieceCount: number): void
  leave (events: Events): boolean
}

/** The torrents of one task's inputs. */
export class TaskInputs implements InputTorrents {
  readonly #parent: ParentTorrent
  /** a torrent that was destroyed has none */
  readonly #client: InputClient
  readonly #options: InputOptions
  /** how often: an input can be computed with, and shared besides */
  readonly #used = new Map<AnyShared, number>()
  readonly #closing = new Set<Promise<void>>()
  #isClosed = false
  /** what is open though nothing is computed with it, by who opened it */
  readonly #shares = new Map<string, () => void>()

  constructor (parent: ParentTorrent, options: InputOptions) {
    this.#parent = parent
    this.#client = parent.client
    this.#options = options
  }

  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void } {
    const user: User<InputTorrentEvents, TorrentInput> = [events, input, pieceCount]
    return this.#open(keyOf(input), user, (known, ended) =>
      known instanceof SharedInput ? known : new SharedInput(input.infoHash, this.#parent, this.#options, ended))
  }

  openStage (input: OutputInput, pieceCount: number, events: InputStageEvents): { close (): void } {
    const user: User<InputStageEvents, OutputInput> = [events, input, pieceCount]
    try {
      return this.#open(keyOf(input), user, (known, ended) =>
        known instanceof SharedStage ? known : new SharedStage(input, this.#parent, this.#options, ended))
    } catch (err) {
      // tasks that need each other
      setImmediate(() => { events.failed(err as Error) })
      return { close () {} }
    }
  }

  /** @param get the one that is there, or else a new one, which begins once the last one of its kind has ended */
  #open<Events, Input> (
    key: string,
    user: User<Events, Input>,
    get: (known: AnyShared | undefined, ended: Promise<void>) => Shared<Events, Input> & AnyShared
  ): { close (): void } {
    const [all, ending] = [mapOf(shared, this.#client), mapOf(closing, this.#client)]
    const used = get(all.get(key), ending.get(key) ?? Promise.resolve())
    const [events] = user
    all.set(key, used)
    this.#used.set(used, (this.#used.get(used) ?? 0) + 1)
    used.join(this.#parent)
    used.use(...user)
    for (const wire of this.#parent.wires) this.#tell(used, wire)
    let isOpen = true
    return {
      close: () => {
        if (!isOpen) return
        isOpen = false
        const times = this.#used.get(used)! - 1
        if (times === 0) {
          this.#used.delete(used)
          used.part(this.#parent)
        } else this.#used.set(used, times)
        if (used.leave(events) && all.get(key) === used) this.#end(used, key)
      }
    }
  }

  #end (used: AnyShared, key: string): void {
    const ending = mapOf(closing, this.#client)
    mapOf(shared, this.#client).delete(key)
    const end = used.close().finally(() => {
      this.#closing.delete(end)
      if (ending.get(key) === end) ending.delete(key)
    })
    ending.set(key, end)
    this.#closing.add(end)
  }

  /** Passes on what is on this machine, or all with `seed`, whether anything is computed here or not. */
  share (inputs: readonly TaskInput[], pieceCount: number): void {
    for (const input of inputs) {
      if (input.infoHash !== undefined) void this.#share(input, pieceCount)
      else if (input.task !== undefined) void this.#shareStage(input, pieceCount)
    }
  }

  async #share (input: TorrentInput, pieceCount: number): Promise<void> {
    const { seed = false } = this.#options
    if (!seed && await foundBy(this.#options, input.infoHash) === null) return
    if (!this.#isClosed) this.#keep(`share ${keyOf(input)}`, close => this.open(input, pieceCount, this.#onlyShared(input, seed, close)))
  }

  async #shareStage (input: OutputInput, pieceCount: number): Promise<void> {
    const { seed = false, registry } = this.#options
    if (!seed && await findTask(input.task.infoHash, registry) === null) return
    if (!this.#isClosed) this.#keep(`share ${keyOf(input)}`, close => this.openStage(input, pieceCount, this.#onlyShared(input, seed, close)))
  }

  #onlyShared ({ name }: TaskInput, seed: boolean, close: () => void): InputEvents<InputContent> {
    return {
      opened: content => { if (seed) content.want('all') },
      changed () {},
      lost: err => {
        this.#parent.emit('warning', err)
        if (!seed) setImmediate(close)
      },
      failed: err => { trace('%s is not shared: %s', name, err.message) }
    }
  }

  /** Once for each key, until it is closed. */
  #keep (key: string, open: (close: () => void) => { close (): void }): void {
    if (this.#shares.has(key)) return
    const close = (): void => {
      this.#shares.delete(key)
      opened.close()
    }
    const opened = open(close)
    this.#shares.set(key, close)
  }

  /** Adds the tasks whose outputs are inputs, if that has not happened yet; those that cannot be are left out. */
  async stages (inputs: readonly TaskInput[], pieceCount: number): Promise<Torrent[]> {
    const torrents = new Set<Torrent | null>()
    for (const input of inputs) {
      if (input.task === undefined || this.#isClosed) continue
      this.#keep(keyOf(input), close => this.openStage(input, pieceCount, this.#onlyShared(input, false, close)))
      const stage = mapOf(shared, this.#client).get(keyOf(input))
      if (stage instanceof SharedStage) torrents.add(await stage.added())
    }
    return [...torrents].filter(torrent => torrent !== null)
  }

  /** A peer of the task has told its listening port: it may have the inputs as well. */
  addPeer (wire: ParentTorrent['wires'][number]): void {
    for (const used of this.#used.keys()) this.#tell(used, wire)
  }

  /** A peer of the task may not come back. */
  ban (wire: Wire): void {
    for (const used of this.#used.keys()) if (used instanceof SharedInput) used.ban(wire)
  }

  /** Closes all torrents. Resolves when they are closed. */
  async close (): Promise<void> {
    this.#isClosed = true
    for (const close of this.#shares.values()) close()
    await Promise.all(this.#closing)
  }

  #tell (used: AnyShared, { remoteAddress, peerExtendedHandshake: { p: port } }: ParentTorrent['wires'][number]): void {
    if (typeof remoteAddress !== 'string' || typeof port !== 'number' || port < 1 || port > 65_535) return
    const host = remoteAddress.replace(/^::ffff:/, '')
    used.addPeer(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
  }
}

/** One hash may be named as a torrent's and as a task's: that is wrong of one of them, and must not harm the other. */
function keyOf (input: TorrentInput | OutputInput): string {
  return input.task === undefined ? input.infoHash : `task ${input.task.infoHash}`
}

function mapOf<T> (maps: WeakMap<object, Map<string, T>>, client: object): Map<string, T> {
  const known = maps.get(client) ?? new Map<string, T>()
  maps.set(client, known)
  return known
}

/**
 * The torrents of a task's inputs. Peers of the task are tried as peers of its inputs. Made by compute-control.ts;
 * lib/inputs/supply.ts decides what is downloaded.
 */
import type { InputTorrentEvents, InputTorrents } from '../inputs/supply-types.ts'
import { traceOf } from '../base/trace.ts'
import type { TaskInput, TorrentInput } from '../task/types.ts'
import { foundBy } from '../inputs/places.ts'
import { SharedInput } from './shared-input.ts'
import type { InputOptions } from './options.ts'
import type { InputClient, ParentTorrent } from './input-types.ts'

const trace = traceOf('inputs')

/** By client and info-hash. */
const shared = new WeakMap<object, Map<string, SharedInput>>()
/** Those that are closing, likewise: the next one takes their place in the cache. */
const closing = new WeakMap<object, Map<string, Promise<void>>>()

/** The torrents of one task's inputs. */
export class TaskInputs implements InputTorrents {
  readonly #parent: ParentTorrent
  /** a torrent that was destroyed has none */
  readonly #client: InputClient
  readonly #options: InputOptions
  /** how often: an input can be computed with, and shared besides */
  readonly #used = new Map<SharedInput, number>()
  readonly #closing = new Set<Promise<void>>()
  #isClosed = false
  readonly #shares: Array<() => void> = []

  constructor (parent: ParentTorrent, options: InputOptions) {
    this.#parent = parent
    this.#client = parent.client
    this.#options = options
  }

  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void } {
    const client = this.#client
    const [all, ending] = [mapOf(shared, client), mapOf(closing, client)]
    const { infoHash } = input
    const used = all.get(infoHash) ??
      new SharedInput(infoHash, this.#parent, this.#options, ending.get(infoHash) ?? Promise.resolve())
    all.set(infoHash, used)
    this.#used.set(used, (this.#used.get(used) ?? 0) + 1)
    used.use(events, input, pieceCount)
    for (const wire of this.#parent.wires) this.#tell(used, wire)
    let isOpen = true
    return {
      close: () => {
        if (!isOpen) return
        isOpen = false
        const times = this.#used.get(used)! - 1
        if (times === 0) this.#used.delete(used)
        else this.#used.set(used, times)
        if (used.leave(events) && all.get(infoHash) === used) this.#end(used, infoHash)
      }
    }
  }

  #end (used: SharedInput, infoHash: string): void {
    const ending = mapOf(closing, this.#client)
    mapOf(shared, this.#client).delete(infoHash)
    const end = used.close().finally(() => {
      this.#closing.delete(end)
      if (ending.get(infoHash) === end) ending.delete(infoHash)
    })
    ending.set(infoHash, end)
    this.#closing.add(end)
  }

  /** Passes on what is on this machine, or all with `seed`, whether anything is computed here or not. */
  share (inputs: readonly TaskInput[], pieceCount: number): void {
    for (const input of inputs) if (input.infoHash !== undefined) void this.#share(input, pieceCount)
  }

  async #share (input: TorrentInput, pieceCount: number): Promise<void> {
    const { seed = false } = this.#options
    if (!seed && await foundBy(this.#options, input.infoHash) === null) return
    if (this.#isClosed) return
    const opened = this.open(input, pieceCount, {
      opened: torrent => { if (seed) torrent.want('all') },
      changed () {},
      lost: err => {
        this.#parent.emit('warning', err)
        if (!seed) setImmediate(() => { opened.close() })
      },
      failed: err => { trace('%s is not shared: %s', input.name, err.message) }
    })
    this.#shares.push(() => { opened.close() })
  }

  /** A peer of the task has told its listening port: it may have the inputs as well. */
  addPeer (wire: ParentTorrent['wires'][number]): void {
    for (const used of this.#used.keys()) this.#tell(used, wire)
  }

  /** Closes all torrents. Resolves when they are closed. */
  async close (): Promise<void> {
    this.#isClosed = true
    for (const close of this.#shares.splice(0)) close()
    await Promise.all(this.#closing)
  }

  #tell (used: SharedInput, { remoteAddress, peerExtendedHandshake: { p: port } }: ParentTorrent['wires'][number]): void {
    if (typeof remoteAddress !== 'string' || typeof port !== 'number' || port < 1 || port > 65_535) return
    const host = remoteAddress.replace(/^::ffff:/, '')
    used.addPeer(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
  }
}

function mapOf<T> (maps: WeakMap<object, Map<string, T>>, client: object): Map<string, T> {
  const known = maps.get(client) ?? new Map<string, T>()
  maps.set(client, known)
  return known
}

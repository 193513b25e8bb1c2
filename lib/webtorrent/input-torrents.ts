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
import type { ParentTorrent } from './input-types.ts'

const trace = traceOf('inputs')

/** By client and info-hash. */
const shared = new WeakMap<object, Map<string, SharedInput>>()

/** The torrents of one task's inputs. */
export class TaskInputs implements InputTorrents {
  readonly #parent: ParentTorrent
  readonly #options: InputOptions
  readonly #used = new Set<SharedInput>()
  readonly #closing = new Set<Promise<void>>()
  #isClosed = false
  readonly #shares: Array<() => void> = []

  constructor (parent: ParentTorrent, options: InputOptions) {
    this.#parent = parent
    this.#options = options
  }

  open (input: TorrentInput, pieceCount: number, events: InputTorrentEvents): { close (): void } {
    const { client } = this.#parent
    const known = shared.get(client) ?? new Map<string, SharedInput>()
    shared.set(client, known)
    let one = known.get(input.infoHash)
    try {
      one ??= new SharedInput(input, pieceCount, this.#parent, this.#options)
    } catch (err) {
      setImmediate(() => { events.failed(err as Error) })
      return { close: () => {} }
    }
    const used = one
    known.set(input.infoHash, used)
    this.#used.add(used)
    used.use(events, input, pieceCount)
    for (const wire of this.#parent.wires) this.#tell(used, wire)
    return {
      close: () => {
        if (!used.leave(events)) return
        known.delete(input.infoHash)
        this.#used.delete(used)
        const closing = used.close().finally(() => this.#closing.delete(closing))
        this.#closing.add(closing)
      }
    }
  }

  /**
   * Passes on inputs that are on this machine, or all of them with `seed`, whether or not anything is computed here.
   */
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
      failed: err => { trace('%s is not shared: %s', input.name, err.message) }
    })
    this.#shares.push(() => { opened.close() })
  }

  /** A peer of the task has told its listening port: it may have the inputs as well. */
  addPeer (wire: ParentTorrent['wires'][number]): void {
    for (const used of this.#used) this.#tell(used, wire)
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

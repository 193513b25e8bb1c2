/**
 * The torrent of an input, in the task's client. It is an ordinary torrent (BEP 3), of which only what is wanted is
 * downloaded, into the cache or from the author's files. Several tasks may use it. Made by input-torrents.ts.
 */
import { CachedPlace, OriginalPlace, foundBy, usable } from '../inputs/places.ts'
import type { InputPlace } from '../inputs/places.ts'
import type { FileStore } from '../inputs/file-store.ts'
import { readMetainfo, torrentFileOf } from '../inputs/metainfo.ts'
import type { InputLayout } from '../inputs/metainfo.ts'
import type { FileRange } from '../inputs/slices.ts'
import type { InputTorrent, InputTorrentEvents } from '../inputs/supply-types.ts'
import { sha1Hex } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import { quote } from '../task/names.ts'
import type { TorrentInput } from '../task/types.ts'
import type { InternalTorrent } from './internals.ts'
import type { ParentTorrent } from './input-types.ts'
import { InputSelection } from './input-selection.ts'
import type { InputOptions } from './options.ts'

const trace = traceOf('inputs')

/** A task that has the input, and the torrent pieces that it wants. */
interface User { readonly input: TorrentInput, readonly pieceCount: number, wants: Set<number> | 'all' }

/** One input in one client; several tasks may use it. */
export class SharedInput {
  layout!: InputLayout
  readonly #input: TorrentInput
  readonly #pieceCount: number
  readonly #options: InputOptions
  readonly #users = new Map<InputTorrentEvents, User>()
  #info: Uint8Array = new Uint8Array()
  readonly #selection = new InputSelection()
  readonly #parent: ParentTorrent
  #torrent: InternalTorrent | null = null
  /** peers that were named before the torrent existed */
  #peers: string[] = []
  #isClosed = false
  #place: InputPlace | null = null
  #store: FileStore | null = null
  #isOpen = false
  #error: Error | null = null
  /** how often a change was found since the last complete check; 0: no check is running */
  #rechecks = 0

  constructor (input: TorrentInput, pieceCount: number, parent: ParentTorrent, options: InputOptions) {
    this.#input = input
    this.#pieceCount = pieceCount
    this.#options = options
    this.#parent = parent
    this.#begin().catch((err: unknown) => { this.#fail(err as Error) })
  }

  async #begin (): Promise<void> {
    const { infoHash, name } = this.#input
    const place = await this.#findPlace()
    if (place === null) return
    this.#place = place
    // the disk may have lost some of it
    const info = place.info !== null && sha1Hex(place.info) === infoHash ? place.info : null
    const bitfield = info === null ? null : place.bitfield(readMetainfo(info, this.#input, this.#pieceCount))
    const torrent = this.#torrent = this.#parent.client.add(info === null ? infoHash : torrentFileOf(info), {
      store: this.#storeClass(),
      storeCacheSlots: 0,
      deselect: true,
      announce: [...this.#parent.announce],
      ...(this.#parent.private === true && { private: true }),
      ...(bitfield !== null && { bitfield })
    })
    // it is a task, which has a store of its own
    torrent.once('metadata', () => { if (this.#store === null) this.#fail(notATorrent(this.#input)) })
    torrent.once('ready', () => { this.#onReady().catch((err: unknown) => { this.#fail(err as Error) }) })
    torrent.on('verified', index => { this.#onPiece(index) })
    torrent.on('error', err => { this.#fail(err) })
    torrent.on('warning', err => { trace('%s: %s', name, err.message) })
    for (const peer of this.#peers.splice(0)) this.addPeer(peer)
  }

  /** null: it is no longer wanted. */
  async #findPlace (): Promise<InputPlace | null> {
    const [input, pieceCount, options] = [this.#input, this.#pieceCount, this.#options]
    const warn = (err: Error): void => { this.#parent.emit('warning', err) }
    const found = usable(await foundBy(options, input.infoHash), input, pieceCount, warn)
    if (this.#isClosed || this.#parent.client.destroyed) return null
    if (found === null) return new CachedPlace(input.infoHash, options)
    return new OriginalPlace(input, pieceCount, found, options, err => { this.#fail(err) })
  }

  addPeer (peer: string): void {
    const torrent = this.#torrent
    if (torrent === null) {
      this.#peers.push(peer)
      return
    }
    const add = (): void => { if (!torrent.destroyed) torrent.addPeer(peer) }
    if (torrent.infoHash) add()
    else torrent.once('infoHash', add)
  }

  /**
   * @param input the input as a task with `pieceCount` pieces describes it; another task may describe it differently
   */
  use (events: InputTorrentEvents, input: TorrentInput, pieceCount: number): void {
    this.#users.set(events, { input, pieceCount, wants: new Set() })
    setImmediate(() => { this.#tell(events).catch((err: unknown) => { this.#fail(err as Error) }) })
  }

  async #tell (events: InputTorrentEvents): Promise<void> {
    if (this.#isOpen && events.isForCommands === true) await this.#place!.show()
    const user = this.#users.get(events)
    if (user === undefined) return
    const problem = this.#error ?? (this.#isOpen ? problemOf(this.#info, user) : null)
    if (problem !== null) events.failed(problem)
    else if (this.#isOpen) events.opened(this.#viewFor(user))
  }

  /** Returns true if nobody uses it any more. */
  leave (events: InputTorrentEvents): boolean {
    this.#users.delete(events)
    return this.#users.size === 0
  }

  async close (): Promise<void> {
    this.#isClosed = true
    this.#place?.stop(this.#isOpen && this.#rechecks === 0 && this.#torrent?.destroyed === false)
    const torrent = this.#torrent
    if (torrent?.destroyed === false) await new Promise<void>(resolve => { torrent.destroy(() => { resolve() }) })
    await this.#place?.close()
  }

  //  FOR SUPPLIES

  get missing (): number {
    const pieces = this.#torrent?.pieces ?? []
    if (this.#rechecks > 0) return pieces.length
    return pieces.reduce<number>((sum, piece) => sum + (piece === null ? 0 : 1), 0)
  }

  get have (): number {
    const pieces = this.#torrent?.pieces ?? []
    const { pieceLength, torrentLength } = this.layout
    let bytes = 0
    for (let i = 0; i < pieces.length; i++) {
      if (pieces[i] === null) bytes += Math.min(pieceLength, torrentLength - i * pieceLength)
    }
    return Math.min(bytes, this.layout.length)
  }

  has (piece: number): boolean { return this.#rechecks === 0 && this.#torrent?.pieces[piece] === null }

  async read ({ file, start, end }: FileRange): Promise<Uint8Array> {
    return this.#store!.read(this.layout.files[file]!.offset + start, end - start)
  }

  isIntact (file: number | 'all'): boolean { return this.#place!.isIntact(file) }

  recheck (): void {
    const torrent = this.#torrent
    if (torrent === null || torrent.destroyed || this.#rechecks++ > 0) return
    try {
      this.#place!.doubt()
    } catch (err) {
      return this.#fail(err as Error)
    }
    torrent.rescanFiles(() => {
      const isInDoubt = this.#rechecks > 1
      this.#rechecks = 0
      if (isInDoubt) return this.recheck()
      this.#selection.forget()
      this.#place!.looked(this.missing)
      this.#select()
      for (const events of this.#users.keys()) events.changed()
    })
  }

  #viewFor (user: User): InputTorrent {
    return {
      layout: this.layout,
      root: this.#place!.root,
      have: () => this.have,
      missing: () => this.missing,
      has: piece => this.has(piece),
      want: pieces => {
        user.wants = pieces === 'all' ? 'all' : new Set(pieces)
        this.#select()
      },
      read: async range => this.read(range),
      isIntact: file => this.isIntact(file),
      recheck: () => { this.recheck() }
    }
  }

  //  EVENTS OF THE TORRENT

  /** WebTorrent makes the store when it has the metadata, which is therefore checked here. */
  #storeClass (): unknown {
    const open = (info: Uint8Array): FileStore => this.#openStore(info)
    return function (_chunkLength: number, { torrent }: { torrent: { infoBuffer: Uint8Array } }): FileStore {
      return open(new Uint8Array(torrent.infoBuffer))
    }
  }

  #openStore (info: Uint8Array): FileStore {
    this.layout = readMetainfo(info, this.#input, this.#pieceCount)
    this.#info = info
    return this.#store = this.#place!.open(info, this.layout, piece => this.has(piece), () => { this.recheck() })
  }

  async #onReady (): Promise<void> {
    const isWhole = this.#place!.looked(this.missing)
    this.#isOpen = true
    if (!isWhole) this.recheck()
    for (const events of this.#users.keys()) await this.#tell(events)
  }

  #onPiece (index: number): void {
    if (!this.#isOpen || this.#rechecks > 0) return
    this.#selection.came(index)
    if (!this.#place!.came(index)) setImmediate(() => { this.recheck() })
    for (const events of this.#users.keys()) events.changed()
  }

  #fail (err: Error): void {
    if (this.#error !== null) return
    this.#error = err
    trace('%s fails: %s', this.#input.name, err.message)
    for (const events of this.#users.keys()) events.failed(err)
    if (this.#torrent?.destroyed === false) this.#torrent.destroy()
  }

  #select (): void {
    const torrent = this.#torrent
    if (torrent === null || torrent.destroyed || this.#rechecks > 0) return
    this.#selection.update(torrent, Array.from(this.#users.values(), ({ wants }) => wants))
  }
}

function problemOf (info: Uint8Array, { input, pieceCount }: User): Error | null {
  try { readMetainfo(info, input, pieceCount) } catch (err) { return err as Error }
  return null
}

function notATorrent ({ name }: TorrentInput): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'input', `The input ${quote(name)} is not a torrent but a task; nothing of it is used.`)
}

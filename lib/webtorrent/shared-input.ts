/**
 * The torrent of an input, in the client that has the task: an ordinary one (BEP 3), of which only what is wanted is
 * fetched, into the cache or from where the author has it. Several tasks may use it. Made by input-torrents.ts.
 */
import { statSync } from 'node:fs'
import { InputCache } from '../inputs/cache.ts'
import type { CacheEntry } from '../inputs/cache.ts'
import { FileStore } from '../inputs/file-store.ts'
import { KeptPieces, allPieces } from '../inputs/kept-pieces.ts'
import { canBeShown, changedFile, copyFiles } from '../inputs/original.ts'
import type { FoundInput } from '../inputs/original.ts'
import { findInput } from '../inputs/registry.ts'
import { readMetainfo } from '../inputs/metainfo.ts'
import type { InputLayout } from '../inputs/metainfo.ts'
import type { FileRange } from '../inputs/slices.ts'
import type { InputTorrent, InputTorrentEvents } from '../inputs/supply-types.ts'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import { quote } from '../task/names.ts'
import type { TorrentInput } from '../task/types.ts'
import type { InternalTorrent } from './internals.ts'
import type { TorrentOptions } from './inherited-options.ts'
import type { InputOptions } from './options.ts'

const trace = traceOf('inputs')

/** The task's torrent, as far as its inputs go. */
export interface ParentTorrent {
  readonly client: InputClient
  emit (event: 'warning', err: Error): unknown
  readonly announce: readonly string[]
  readonly private?: boolean
  readonly wires: ReadonlyArray<{ remoteAddress?: string | null, peerExtendedHandshake: Record<string, unknown> }>
}

/** The part of the client that is used. */
export interface InputClient {
  add (id: string | Uint8Array, opts: TorrentOptions): InternalTorrent
  readonly destroyed: boolean
}

/** Where an input is on this machine already, if somebody knows. */
export async function foundBy (options: InputOptions, infoHash: string): Promise<FoundInput | null> {
  return options.find === undefined ? findInput(infoHash) : options.find(infoHash)
}

/** One input in one client; several tasks may use it. */
export class SharedInput {
  layout!: InputLayout
  root = ''
  readonly #input: TorrentInput
  readonly #pieceCount: number
  readonly #options: InputOptions
  readonly #users = new Map<InputTorrentEvents, Set<number> | 'all'>()
  readonly #parent: ParentTorrent
  #torrent: InternalTorrent | null = null
  /** peers that were named before there was a torrent */
  #peers: string[] = []
  #isClosed = false
  #entry: CacheEntry | null = null
  /** a copy of the original, for commands */
  #copied: CacheEntry | null = null
  #prepared: Promise<void> | null = null
  #store: FileStore | null = null
  #wanted = new Set<number>()
  #isOpen = false
  #error: Error | null = null
  /** of what is in the cache; null: nothing is, or its metadata is not here */
  #kept: KeptPieces | null = null
  #isRechecking = false

  constructor (input: TorrentInput, pieceCount: number, parent: ParentTorrent, options: InputOptions) {
    this.#input = input
    this.#pieceCount = pieceCount
    this.#options = options
    this.#parent = parent
    this.#begin().catch((err: unknown) => { this.#fail(err as Error) })
  }

  async #begin (): Promise<void> {
    const { infoHash, name } = this.#input
    const found = this.#usable(await foundBy(this.#options, infoHash))
    if (this.#isClosed || this.#parent.client.destroyed) return
    if (found === null) this.#entry = new InputCache(this.#options).open(infoHash)
    else this.root = found.path
    const info = found?.info ?? this.#entry?.info ?? null
    const bitfield = this.#startBitfield(info, found)
    const torrent = this.#torrent = this.#parent.client.add(info === null ? infoHash : torrentFile(info), {
      store: this.#storeClass(),
      storeCacheSlots: 0,
      deselect: true,
      announce: [...this.#parent.announce],
      ...(this.#parent.private === true && { private: true }),
      ...(bitfield !== null && { bitfield })
    })
    torrent.once('ready', () => { this.#onReady().catch((err: unknown) => { this.#fail(err as Error) }) })
    torrent.on('verified', index => { this.#onPiece(index) })
    torrent.on('error', err => { this.#fail(err) })
    torrent.on('warning', err => { trace('%s: %s', name, err.message) })
    for (const peer of this.#peers.splice(0)) this.addPeer(peer)
  }

  /** What was found, if it is what it was. */
  #usable (found: FoundInput | null): FoundInput | null {
    if (found === null) return null
    try {
      const at = changedFile(found, readMetainfo(found.info, this.#input, this.#pieceCount))
      if (at === null) return found
      this.#parent.emit('warning', changed(this.#input, at))
    } catch (err) {
      trace('%s: %s', this.#input.name, (err as Error).message)
    }
    return null
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

  use (events: InputTorrentEvents): void {
    this.#users.set(events, new Set())
    setImmediate(() => { this.#tell(events).catch((err: unknown) => { this.#fail(err as Error) }) })
  }

  async #tell (events: InputTorrentEvents): Promise<void> {
    if (this.#isOpen && events.isForCommands === true) await this.#prepare()
    if (!this.#users.has(events)) return
    if (this.#error !== null) events.failed(this.#error)
    else if (this.#isOpen) events.opened(this.#viewFor(events))
  }

  /** True when nobody uses it any more. */
  leave (events: InputTorrentEvents): boolean {
    this.#users.delete(events)
    return this.#users.size === 0
  }

  async close (): Promise<void> {
    this.#isClosed = true
    if (this.#isOpen && !this.#isRechecking && this.#torrent?.destroyed === false) this.#kept?.write()
    this.#kept?.close()
    const torrent = this.#torrent
    if (torrent?.destroyed === false) await new Promise<void>(resolve => { torrent.destroy(() => { resolve() }) })
    this.#entry?.close()
    this.#copied?.close()
    this.#entry = null
    await new InputCache(this.#options).trim()
  }

  //
  // AS A SUPPLY SEES IT
  //

  get missing (): number {
    const pieces = this.#torrent?.pieces ?? []
    if (this.#isRechecking) return pieces.length
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

  has (piece: number): boolean { return !this.#isRechecking && this.#torrent?.pieces[piece] === null }

  async read ({ file, start, end }: FileRange): Promise<Uint8Array> {
    return this.#store!.read(this.layout.files[file]!.offset + start, end - start)
  }

  recheck (): void {
    const torrent = this.#torrent
    if (this.#isRechecking || torrent === null || torrent.destroyed) return
    this.#isRechecking = true
    this.#kept?.doubt()
    torrent.rescanFiles(() => {
      this.#isRechecking = false
      this.#kept?.check()
      this.#select()
      for (const events of this.#users.keys()) events.changed()
    })
  }

  #viewFor (events: InputTorrentEvents): InputTorrent {
    return {
      layout: this.layout,
      root: this.root,
      have: () => this.have,
      missing: () => this.missing,
      has: piece => this.has(piece),
      want: pieces => {
        this.#users.set(events, pieces === 'all' ? 'all' : new Set(pieces))
        this.#select()
      },
      read: async range => this.read(range),
      recheck: () => { this.recheck() }
    }
  }

  //
  // WHAT THE TORRENT DOES
  //

  /** What is known to be here; null: WebTorrent looks at all of it. */
  #startBitfield (info: Uint8Array | null, found: FoundInput | null): Uint8Array | null {
    if (info === null) return null
    try {
      const layout = readMetainfo(info, this.#input, this.#pieceCount)
      if (this.#entry !== null) return this.#entry.readPieces(layout)
      return found?.files === undefined ? null : allPieces(layout)
    } catch {
      return null
    }
  }

  /** WebTorrent makes the store when it has the metadata, which is the time to look at it. */
  #storeClass (): unknown {
    const open = (info: Uint8Array): FileStore => this.#openStore(info)
    return function (_chunkLength: number, { torrent }: { torrent: { infoBuffer: Uint8Array } }): FileStore {
      return open(new Uint8Array(torrent.infoBuffer))
    }
  }

  #openStore (info: Uint8Array): FileStore {
    this.layout = readMetainfo(info, this.#input, this.#pieceCount)
    if (this.#entry !== null) {
      this.#entry.setInfo(info)
      this.root = this.#entry.root
      this.#kept = new KeptPieces(this.#entry, this.layout, piece => this.#torrent?.pieces[piece] === null)
    }
    return this.#store = new FileStore({
      layout: this.layout,
      root: this.root,
      isWritable: this.#entry !== null,
      onChange: at => { this.#fail(changed(this.#input, at)) }
    })
  }

  async #onReady (): Promise<void> {
    if (this.#entry === null && this.missing > 0) return this.#fail(changed(this.#input, this.root))
    this.#isOpen = true
    if (this.#kept?.check() === false) this.recheck()
    for (const events of this.#users.keys()) await this.#tell(events)
  }

  async #prepare (): Promise<void> {
    this.#prepared ??= this.#copy()
    await this.#prepared
  }

  /** Commands may not see what else lies where the original does. What is served stays where it is. */
  async #copy (): Promise<void> {
    if (this.#entry !== null || await canBeShown(this.root, this.layout)) return
    const entry = new InputCache(this.#options).open(this.#input.infoHash)
    try {
      await copyFiles(this.root, entry.root, this.layout)
      for (const file of this.layout.files.keys()) entry.seal(this.layout, file)
      this.root = entry.root
      this.#copied = entry
    } catch (err) {
      entry.close()
      throw err
    }
  }

  #onPiece (index: number): void {
    if (!this.#isOpen || this.#isRechecking) return
    this.#wanted.delete(index)
    if (this.#kept?.add(index) === false) setImmediate(() => { this.recheck() })
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
    if (torrent === null || torrent.destroyed || this.#isRechecking) return
    const wanted = new Set<number>()
    for (const wants of this.#users.values()) {
      if (wants === 'all') for (let i = 0; i < torrent.pieces.length; i++) { if (!this.has(i)) wanted.add(i) }
      else for (const piece of wants) if (!this.has(piece)) wanted.add(piece)
    }
    if (wanted.size === torrent.pieces.length && this.#wanted.size < wanted.size) torrent.select(0, wanted.size - 1, 1)
    else {
      for (const piece of this.#wanted) if (!wanted.has(piece)) torrent.deselect(piece, piece)
      for (const piece of wanted) if (!this.#wanted.has(piece)) torrent.select(piece, piece, 1)
    }
    this.#wanted = wanted
  }
}

function torrentFile (info: Uint8Array): Uint8Array {
  const [before, after] = [new TextEncoder().encode('d4:info'), new TextEncoder().encode('e')]
  return Buffer.concat([before, info, after])
}

function changed ({ name }: TorrentInput, at: string): BitWorkerError {
  const there = statSync(at, { throwIfNoEntry: false }) === undefined ? 'is not there any more' : 'has changed'
  return new BitWorkerError(
    'BW_ERR_INPUT', 'system', `The input ${quote(name)} is not shared: ${at} ${there} since the task was made.`
  )
}

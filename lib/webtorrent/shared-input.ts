/**
 * The torrent of an input, in the client that has the task: an ordinary one (BEP 3), of which only what is wanted is
 * fetched, into the cache or from where the author has it. Several tasks may use it. Made by input-torrents.ts.
 */
import { InputCache } from '../inputs/cache.ts'
import type { CacheEntry } from '../inputs/cache.ts'
import { FileStore } from '../inputs/file-store.ts'
import { KeptPieces, allPieces } from '../inputs/kept-pieces.ts'
import { canBeShown, changed, changedFile, copyFiles, isSame, stamped } from '../inputs/original.ts'
import type { FoundInput } from '../inputs/original.ts'
import { findInput } from '../inputs/registry.ts'
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

/** Where an input is on this machine already, if somebody knows. */
export async function foundBy (options: InputOptions, infoHash: string): Promise<FoundInput | null> {
  return options.find === undefined ? findInput(infoHash) : options.find(infoHash)
}

/** A task that has the input, and which torrent pieces it wants. */
interface User { readonly input: TorrentInput, readonly pieceCount: number, wants: Set<number> | 'all' }

/** One input in one client; several tasks may use it. */
export class SharedInput {
  layout!: InputLayout
  root = ''
  readonly #input: TorrentInput
  readonly #pieceCount: number
  readonly #options: InputOptions
  readonly #users = new Map<InputTorrentEvents, User>()
  #info: Uint8Array = new Uint8Array()
  readonly #selection = new InputSelection()
  readonly #parent: ParentTorrent
  #torrent: InternalTorrent | null = null
  /** peers that were named before there was a torrent */
  #peers: string[] = []
  #isClosed = false
  #entry: CacheEntry | null = null
  /** where it is not in the cache */
  #original: FoundInput | null = null
  /** a copy of the original, for commands */
  #copied: CacheEntry | null = null
  #prepared: Promise<void> | null = null
  #store: FileStore | null = null
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
    this.#original = found === null ? null : stamped(found, readMetainfo(found.info, this.#input, this.#pieceCount))
    const info = found?.info ?? this.#cachedInfo()
    const bitfield = this.#startBitfield(info, found)
    const torrent = this.#torrent = this.#parent.client.add(info === null ? infoHash : torrentFileOf(info), {
      store: this.#storeClass(),
      storeCacheSlots: 0,
      deselect: true,
      announce: [...this.#parent.announce],
      ...(this.#parent.private === true && { private: true }),
      ...(bitfield !== null && { bitfield })
    })
    // a task has a store of its own
    torrent.once('metadata', () => { if (this.#store === null) this.#fail(notATorrent(this.#input)) })
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
      this.#parent.emit('warning', changed(this.#input.name, at))
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

  /** @param input what a task of so many pieces says of it, which another one may say otherwise */
  use (events: InputTorrentEvents, input: TorrentInput, pieceCount: number): void {
    this.#users.set(events, { input, pieceCount, wants: new Set() })
    setImmediate(() => { this.#tell(events).catch((err: unknown) => { this.#fail(err as Error) }) })
  }

  async #tell (events: InputTorrentEvents): Promise<void> {
    if (this.#isOpen && events.isForCommands === true) await this.#prepare()
    const user = this.#users.get(events)
    if (user === undefined) return
    const problem = this.#error ?? (this.#isOpen ? problemOf(this.#info, user) : null)
    if (problem !== null) events.failed(problem)
    else if (this.#isOpen) events.opened(this.#viewFor(user))
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
    // it may be copying
    await this.#prepared?.catch(() => {})
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

  isIntact (file: number | 'all'): boolean {
    // nobody writes to what is in the cache
    if (this.#original === null) return true
    return file === 'all' ? changedFile(this.#original, this.layout) === null : isSame(this.#original, this.layout, file)
  }

  recheck (): void {
    const torrent = this.#torrent
    if (this.#original !== null) {
      return this.#fail(changed(this.#input.name, changedFile(this.#original, this.layout) ?? this.root))
    }
    if (this.#isRechecking || torrent === null || torrent.destroyed) return
    this.#isRechecking = true
    this.#kept?.doubt()
    this.#store?.forget()
    torrent.rescanFiles(() => {
      this.#isRechecking = false
      this.#selection.forget()
      this.#kept?.check()
      this.#select()
      for (const events of this.#users.keys()) events.changed()
    })
  }

  #viewFor (user: User): InputTorrent {
    return {
      layout: this.layout,
      root: this.root,
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

  //
  // WHAT THE TORRENT DOES
  //

  /** What is known to be here; null: WebTorrent looks at all of it. */
  #startBitfield (info: Uint8Array | null, found: FoundInput | null): Uint8Array | null {
    if (info === null) return null
    const layout = readMetainfo(info, this.#input, this.#pieceCount)
    if (this.#entry !== null) return this.#entry.readPieces(layout)
    return found?.files === undefined ? null : allPieces(layout)
  }

  /** The disk may have lost some of it. */
  #cachedInfo (): Uint8Array | null {
    const info = this.#entry?.info ?? null
    return info === null || sha1Hex(info) !== this.#input.infoHash ? null : info
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
    this.#info = info
    if (this.#entry !== null) {
      this.#entry.setInfo(info)
      this.root = this.#entry.root
      this.#kept = new KeptPieces(this.#entry, this.layout, piece => this.#torrent?.pieces[piece] === null)
    }
    return this.#store = new FileStore({
      layout: this.layout,
      root: this.root,
      isWritable: this.#entry !== null,
      onChange: at => { this.#fail(changed(this.#input.name, at)) }
    })
  }

  async #onReady (): Promise<void> {
    if (this.#entry === null && this.missing > 0) return this.#fail(changed(this.#input.name, this.root))
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
    if (this.#original === null || await canBeShown(this.root, this.layout)) return
    const entry = this.#copied = new InputCache(this.#options).open(this.#input.infoHash)
    await entry.clear()
    await copyFiles(this.root, entry.root, this.layout)
    const at = changedFile(this.#original, this.layout)
    if (at !== null) throw changed(this.#input.name, at)
    for (const file of this.layout.files.keys()) entry.seal(this.layout, file)
    this.root = entry.root
  }

  #onPiece (index: number): void {
    if (!this.#isOpen || this.#isRechecking) return
    this.#selection.came(index)
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

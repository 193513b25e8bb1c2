/**
 * The location of one input's files on this machine: in the cache, or where their author has them. The differences
 * between the two are handled here; lib/webtorrent/open-input.ts uses either.
 */
import { traceOf } from '../base/trace.ts'
import type { TorrentInput } from '../task/types.ts'
import { InputCache } from './cache.ts'
import type { CacheEntry, CacheOptions } from './cache.ts'
import { FileStore, filePath } from './file-store.ts'
import { KeptPieces, allPieces } from './kept-pieces.ts'
import { isLinkThere } from './links.ts'
import type { InputLink } from './links.ts'
import type { InputLayout } from './metainfo.ts'
import { changed, copyFiles, isAsHashed, unlikeFile } from './original.ts'
import type { FoundInput } from './original.ts'
import { findInput, rememberInput } from './registry.ts'
import { torrentPiecesOf } from './slices.ts'
import { SharedCheck, stampAt, statsOf } from './stamps.ts'

const trace = traceOf('inputs')

/** Where to look for inputs, and where to store them. */
export interface PlaceOptions extends CacheOptions {
  /** finds an input on this machine; default: those that were made here */
  find? (infoHash: string): Promise<FoundInput | null>
}

/** The files of one input. */
export interface InputPlace {
  /** absolute: the file or folder as commands may see it; null: only in copies of what they need */
  readonly root: string | null
  /** where it is kept, for messages */
  readonly path: string
  /** downloading it takes space on the disk */
  readonly takesSpace: boolean
  /** the info dictionary, unchecked; null: not here */
  readonly info: Uint8Array | null
  /** The pieces that are known to be stored (BEP 3's bitfield); null: everything must be checked. */
  bitfield (layout: InputLayout): Uint8Array | null
  /**
   * Once, with the checked metadata.
   *
   * @param has which torrent pieces were verified
   * @param onChange told when something is not what it was
   */
  open (info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean, onChange: () => void): FileStore
  /** All of it was looked at. False: look again. Throws BW_ERR_INPUT if it cannot become complete. */
  looked (): boolean
  /** A torrent piece was verified and written. False: look at all of it. */
  came (piece: number): boolean
  /** A file, or all of them, are for commands what they were when they were verified. */
  isIntact (file: number | 'all'): Promise<boolean>
  /** Something is not what it was: all is looked at next. Throws BW_ERR_INPUT if it cannot be fetched again. */
  doubt (): void
  /** Commands are to be shown all of it: sets `root`. Rejects with BW_ERR_INPUT and errors of the file system. */
  show (): Promise<void>
  /** Nothing more is written; `isSure`: what is here now is written down. */
  stop (isSure: boolean): void
  /** Releases the files when nobody reads or writes any more. */
  close (): Promise<void>
}

/** Finds an input on this machine; null if it is not known. */
export async function foundBy (options: PlaceOptions, infoHash: string): Promise<FoundInput | null> {
  return options.find === undefined ? findInput(infoHash) : options.find(infoHash)
}

/** An input that is fetched into the cache. */
export class CachedPlace implements InputPlace {
  readonly takesSpace = true
  readonly root: string
  readonly info: Uint8Array | null
  readonly #cache: InputCache
  readonly #entry: CacheEntry
  #store: FileStore | null = null
  #kept: KeptPieces | null = null
  #layout: InputLayout | null = null
  /** the state of the files before they were checked */
  #before: string[] = []

  /** Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL. */
  constructor (infoHash: string, options: CacheOptions) {
    this.#cache = new InputCache(options)
    this.#entry = this.#cache.open(infoHash)
    this.root = this.#entry.root
    this.info = this.#entry.info
  }

  get path (): string { return this.root }

  bitfield (layout: InputLayout): Uint8Array | null { return this.#entry.readPieces(layout) }

  open (info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean, onChange: () => void): FileStore {
    this.#entry.setInfo(info)
    const kept = this.#kept = new KeptPieces(this.#entry, layout, has)
    this.#layout = layout
    this.#before = this.#stampsNow()
    return this.#store = new FileStore({
      layout,
      root: this.root,
      isWritable: true,
      beforeNew: () => { if (this.#entry.hold()) onChange() },
      isHere: has,
      mustBe: file => kept.stampOf(file),
      onChange
    })
  }

  looked (): boolean {
    const store = this.#store!
    if (this.#stampsNow().some((stamp, file) => stamp !== this.#before[file] && !store.hasWritten(file))) return false
    store.trust()
    return this.#kept!.check()
  }

  came (piece: number): boolean { return this.#kept!.add(piece) }

  async isIntact (file: number | 'all'): Promise<boolean> { return this.#kept!.isIntact(file) }

  doubt (): void {
    this.#kept?.doubt()
    this.#store?.doubt()
    this.#before = this.#stampsNow()
  }

  #stampsNow (): string[] {
    return this.#layout?.files.map((_, file) => stampAt(filePath(this.root, this.#layout!, file))) ?? []
  }

  async show (): Promise<void> {}

  stop (isSure: boolean): void {
    if (isSure) this.#kept?.write()
    this.#kept?.close()
  }

  async close (): Promise<void> {
    this.#entry.close()
    await this.#cache.trim()
  }
}

/** The author's own files: read in place, while they are unchanged. */
export class OriginalPlace implements InputPlace {
  readonly takesSpace = false
  root: string | null = null
  readonly info: Uint8Array
  readonly path: string
  readonly #input: TorrentInput
  readonly #options: PlaceOptions
  readonly #layout: InputLayout
  readonly #isAsHashed: boolean
  /** what the files are, and were when they were hashed if that was right */
  #stamps: string[]
  #has: (piece: number) => boolean = () => false
  #store: FileStore | null = null
  #copying: Promise<void> | null = null
  /** a copy of all, for commands */
  #copied: CacheEntry | null = null
  #copyStamps: string[] = []
  readonly #all = new SharedCheck(() => this.#inCopy(), each => this.#isIntact(each))

  /** Throws BW_ERR_INPUT where it cannot be what it was. */
  constructor (input: TorrentInput, found: FoundInput, layout: InputLayout, options: PlaceOptions) {
    this.path = found.path
    this.info = found.info
    this.#input = input
    this.#layout = layout
    this.#options = options
    this.#checkLengths()
    this.#stamps = this.#stampsNow()
    this.#isAsHashed = isAsHashed(found, layout)
  }

  bitfield (layout: InputLayout): Uint8Array | null { return this.#isAsHashed ? allPieces(layout) : null }

  open (_info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean, onChange: () => void): FileStore {
    this.#has = has
    return this.#store = new FileStore({
      layout, root: this.path, isWritable: false, isHere: has, mustBe: file => this.#stamps[file], onChange
    })
  }

  looked (): boolean {
    const at = this.#layout.files.findIndex(({ length }, file) => {
      const pieces = torrentPiecesOf(this.#layout, { file, start: 0, end: length })
      for (let piece = pieces?.first ?? 0; piece <= (pieces?.last ?? -1); piece++) if (!this.#has(piece)) return true
      return false
    })
    if (at !== -1) throw changed(this.#input.name, filePath(this.path, this.#layout, at))
    if (this.#stampsNow().some((stamp, i) => stamp !== this.#stamps[i])) return false
    this.#store!.trust()
    if (!this.#isAsHashed) void this.#remember()
    return true
  }

  /** It was touched, and is what it was: the next start need not look at all of it. */
  async #remember (): Promise<void> {
    if (this.#options.find !== undefined) return
    const { info, path } = this
    const files = this.#layout.files.map(({ length }, file) => {
      const { mtimeMs = 0, ctimeMs = 0 } = statsOf(filePath(path, this.#layout, file)) ?? {}
      return { length, mtimeMs, ctimeMs }
    })
    await rememberInput(this.#input.infoHash, { info, path, files })
      .catch((err: unknown) => { trace('%s is not remembered: %s', this.#input.name, (err as Error).message) })
  }

  came (): boolean { return true }

  /** Of the copy: what is copied for a command from the original was looked at then. */
  async isIntact (file: number | 'all'): Promise<boolean> {
    return file === 'all' ? this.#all.run() : this.#isIntact(file)
  }

  #inCopy (): Array<number | InputLink> { return [...this.#copyStamps.keys(), ...this.#layout.links] }

  #isIntact (file: number | InputLink): boolean {
    if (this.root === null) return true
    if (typeof file === 'object') return isLinkThere(this.root, file)
    return stampAt(filePath(this.root, this.#layout, file)) === this.#copyStamps[file]
  }

  doubt (): void {
    this.#checkLengths()
    this.#stamps = this.#stampsNow()
    this.#store?.doubt()
    if (this.root === null) return
    this.root = this.#copying = null
  }

  async show (): Promise<void> {
    this.#copying ??= this.#copy().catch((err: unknown) => {
      this.#copying = null // there may be room the next time
      throw err
    })
    await this.#copying
  }

  /**
   * Commands see what they see everywhere: their author's modes and times are none of it, nor what else lies there.
   * What is served stays where it is.
   */
  async #copy (): Promise<void> {
    const layout = this.#layout
    const entry = this.#copied ??= new InputCache(this.#options).open(this.#input.infoHash)
    const root = entry.root
    const known = this.#copyStamps.length === 0 ? entry.readPieces(layout) : null
    const isKnown = known !== null && Buffer.compare(known, allPieces(layout)) === 0
    if (!isKnown) {
      await entry.clear()
      entry.hold()
      await copyFiles(this.path, root, layout)
      if (this.#stampsNow().some((stamp, i) => stamp !== this.#stamps[i])) {
        throw changed(this.#input.name, this.path)
      }
      for (const file of layout.files.keys()) entry.seal(layout, file)
      entry.setInfo(this.info)
    }
    entry.sealFolders(layout)
    this.#copyStamps = layout.files.map((_, file) => stampAt(filePath(root, layout, file)))
    if (!isKnown) entry.writePieces(allPieces(layout), this.#copyStamps)
    this.root = root
  }

  #checkLengths (): void {
    const at = unlikeFile({ path: this.path }, this.#layout)
    if (at !== null) throw changed(this.#input.name, at)
  }

  #stampsNow (): string[] {
    return this.#layout.files.map((_, file) => stampAt(filePath(this.path, this.#layout, file)))
  }

  stop (): void {}

  async close (): Promise<void> {
    // it may be copying
    await this.#copying?.catch(() => {})
    this.#copied?.close()
    await new InputCache(this.#options).trim()
  }
}

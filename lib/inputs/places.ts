/**
 * Where the files of one input lie on this machine: in the cache, or where their author has them. What differs between
 * the two is here; lib/webtorrent/shared-input.ts uses either.
 */
import { traceOf } from '../base/trace.ts'
import type { TorrentInput } from '../task/types.ts'
import { InputCache } from './cache.ts'
import type { CacheEntry, CacheOptions } from './cache.ts'
import { FileStore } from './file-store.ts'
import { KeptPieces, allPieces } from './kept-pieces.ts'
import type { InputLayout } from './metainfo.ts'
import { readMetainfo } from './metainfo.ts'
import { canBeShown, changed, changedFile, copyFiles, isSame, stamped } from './original.ts'
import type { FoundInput } from './original.ts'
import { findInput } from './registry.ts'

const trace = traceOf('inputs')

/** Where inputs are looked for, and kept. */
export interface PlaceOptions extends CacheOptions {
  /** default: what was made on this machine */
  find? (infoHash: string): Promise<FoundInput | null>
}

/** The files of one input. */
export interface InputPlace {
  /** absolute: the file, or the folder of files; of what commands see once `show` has resolved */
  readonly root: string
  /** the info dictionary, unchecked; null: not here */
  readonly info: Uint8Array | null
  /** What is known to be here (BEP 3's bitfield); null: all of it has to be looked at. */
  bitfield (layout: InputLayout): Uint8Array | null
  /** Once, with the checked metadata. `has` tells which torrent pieces were verified. */
  open (info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean): FileStore
  /** All that is here was looked at. False: look again. Throws BW_ERR_INPUT if it cannot become complete. */
  looked (missing: number): boolean
  /** A torrent piece was verified and written. False: look at all of it. */
  came (piece: number): boolean
  /** A file, or all of them, are what they were when they were verified. */
  isIntact (file: number | 'all'): boolean
  /** Something is not what it was. Throws BW_ERR_INPUT if it cannot be fetched again. */
  doubt (): void
  /** Commands are to be shown it. Rejects with BW_ERR_INPUT and errors of the file system. */
  show (): Promise<void>
  /** What is here now is written down, and nothing more. */
  stop (isSure: boolean): void
  /** Gives it back when nobody reads or writes any more. */
  close (): Promise<void>
}

/** Where an input is on this machine already, if somebody knows. */
export async function foundBy (options: PlaceOptions, infoHash: string): Promise<FoundInput | null> {
  return options.find === undefined ? findInput(infoHash) : options.find(infoHash)
}

/**
 * What was found, if it is what it was.
 *
 * @param onChange told BW_ERR_INPUT if it is not
 */
export function usable (
  found: FoundInput | null, input: TorrentInput, pieceCount: number, onChange: (err: Error) => void
): FoundInput | null {
  if (found === null) return null
  try {
    const at = changedFile(found, readMetainfo(found.info, input, pieceCount))
    if (at === null) return found
    onChange(changed(input.name, at))
  } catch (err) {
    trace('%s: %s', input.name, (err as Error).message)
  }
  return null
}

/** An input that is fetched into the cache. */
export class CachedPlace implements InputPlace {
  readonly root: string
  readonly info: Uint8Array | null
  readonly #cache: InputCache
  readonly #entry: CacheEntry
  #store: FileStore | null = null
  #kept: KeptPieces | null = null

  /** Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL. */
  constructor (infoHash: string, options: CacheOptions) {
    this.#cache = new InputCache(options)
    this.#entry = this.#cache.open(infoHash)
    this.root = this.#entry.root
    this.info = this.#entry.info
  }

  bitfield (layout: InputLayout): Uint8Array | null { return this.#entry.readPieces(layout) }

  open (info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean): FileStore {
    this.#entry.setInfo(info)
    this.#kept = new KeptPieces(this.#entry, layout, has)
    return this.#store = new FileStore({ layout, root: this.root, isWritable: true })
  }

  looked (): boolean { return this.#kept!.check() }

  came (piece: number): boolean { return this.#kept!.add(piece) }

  /** Nobody writes to what is in the cache. */
  isIntact (): boolean { return true }

  doubt (): void {
    this.#kept?.doubt()
    this.#store?.forget()
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

/** The author's own files: served from where they lie, as long as they are what they were. */
export class OriginalPlace implements InputPlace {
  root: string
  readonly info: Uint8Array
  readonly #input: TorrentInput
  readonly #layout: InputLayout
  readonly #cache: InputCache
  readonly #found: FoundInput
  /** nothing was said of how they were when they were hashed: all is looked at */
  readonly #isNew: boolean
  readonly #onChange: (err: Error) => void
  #shown: Promise<void> | null = null
  /** a copy, for commands */
  #copied: CacheEntry | null = null

  /**
   * @param found what `usable` returned
   * @param onChange told when they are not what they were any more: nothing of them can be had
   */
  constructor (
    input: TorrentInput, pieceCount: number, found: FoundInput, options: CacheOptions, onChange: (err: Error) => void
  ) {
    this.root = found.path
    this.info = found.info
    this.#input = input
    this.#layout = readMetainfo(found.info, input, pieceCount)
    this.#isNew = found.files === undefined
    this.#found = stamped(found, this.#layout)
    this.#cache = new InputCache(options)
    this.#onChange = onChange
  }

  bitfield (layout: InputLayout): Uint8Array | null { return this.#isNew ? null : allPieces(layout) }

  open (_info: Uint8Array, layout: InputLayout): FileStore {
    return new FileStore({
      layout,
      root: this.#found.path,
      isWritable: false,
      onChange: at => { this.#onChange(changed(this.#input.name, at)) }
    })
  }

  looked (missing: number): boolean {
    if (missing > 0) throw changed(this.#input.name, this.#found.path)
    return true
  }

  came (): boolean { return true }

  isIntact (file: number | 'all'): boolean {
    return file === 'all' ? this.#changedFile() === null : isSame(this.#found, this.#layout, file)
  }

  doubt (): void { throw changed(this.#input.name, this.#changedFile() ?? this.root) }

  async show (): Promise<void> {
    this.#shown ??= this.#copy()
    await this.#shown
  }

  /** Commands may not see what else lies where the original does. What is served stays where it is. */
  async #copy (): Promise<void> {
    if (await canBeShown(this.root, this.#layout)) return
    const entry = this.#copied = this.#cache.open(this.#input.infoHash)
    await entry.clear()
    await copyFiles(this.root, entry.root, this.#layout)
    const at = this.#changedFile()
    if (at !== null) throw changed(this.#input.name, at)
    for (const file of this.#layout.files.keys()) entry.seal(this.#layout, file)
    this.root = entry.root
  }

  #changedFile (): string | null { return changedFile(this.#found, this.#layout) }

  stop (): void {}

  async close (): Promise<void> {
    // it may be copying
    await this.#shown?.catch(() => {})
    this.#copied?.close()
    await this.#cache.trim()
  }
}

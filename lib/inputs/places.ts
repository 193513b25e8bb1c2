/**
 * The location of one input's files on this machine: in the cache, or where their author has them. The differences
 * between the two are handled here; lib/webtorrent/shared-input.ts uses either.
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

/** Where to look for inputs, and where to store them. */
export interface PlaceOptions extends CacheOptions {
  /** finds an input on this machine; default: those that were made here */
  find? (infoHash: string): Promise<FoundInput | null>
}

/** The files of one input. */
export interface InputPlace {
  /** absolute path of the file or folder; once `show` has resolved, of what commands see */
  readonly root: string
  /** the info dictionary, unchecked; null: not stored */
  readonly info: Uint8Array | null
  /** The pieces that are known to be stored (BEP 3's bitfield); null: everything must be checked. */
  bitfield (layout: InputLayout): Uint8Array | null
  /**
   * To be called once, with the checked metadata.
   *
   * @param has whether a torrent piece has been verified
   * @param onLost called if a verified piece is gone: everything must be checked again
   */
  open (info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean, onLost: () => void): FileStore
  /**
   * Everything that is stored was checked. Returns false if it must be checked again. Throws BW_ERR_INPUT if it cannot
   * become complete.
   */
  looked (missing: number): boolean
  /** A torrent piece was verified and written. Returns false if everything must be checked again. */
  came (piece: number): boolean
  /** True if a file, or all of them, are unchanged since they were verified. */
  isIntact (file: number | 'all'): boolean
  /** Something has changed. Throws BW_ERR_INPUT if it cannot be downloaded again. */
  doubt (): void
  /** Makes the files available to commands. Rejects with BW_ERR_INPUT and errors of the file system. */
  show (): Promise<void>
  /** Records the stored pieces; nothing is recorded afterwards. */
  stop (isSure: boolean): void
  /** Releases the files when nobody reads or writes any more. */
  close (): Promise<void>
}

/** Finds an input on this machine; null if it is not known. */
export async function foundBy (options: PlaceOptions, infoHash: string): Promise<FoundInput | null> {
  return options.find === undefined ? findInput(infoHash) : options.find(infoHash)
}

/**
 * Returns what was found, if it is unchanged.
 *
 * @param onChange called with BW_ERR_INPUT if it has changed
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

/** An input that is downloaded into the cache. */
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

  open (info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean, onLost: () => void): FileStore {
    this.#entry.setInfo(info)
    this.#kept = new KeptPieces(this.#entry, layout, has)
    return this.#store = new FileStore({ layout, root: this.root, isWritable: true, isHere: has, onChange: onLost })
  }

  looked (): boolean { return this.#kept!.check() }

  came (piece: number): boolean { return this.#kept!.add(piece) }

  /** Nobody else writes to the cache. */
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

/** The author's own files: read in place, while they are unchanged. */
export class OriginalPlace implements InputPlace {
  root: string
  readonly info: Uint8Array
  readonly #input: TorrentInput
  readonly #layout: InputLayout
  readonly #cache: InputCache
  readonly #found: FoundInput
  /** no state was recorded when they were hashed: everything must be checked */
  readonly #isNew: boolean
  readonly #onChange: (err: Error) => void
  #shown: Promise<void> | null = null
  /** a copy for commands */
  #copied: CacheEntry | null = null

  /**
   * @param found the result of `usable`
   * @param onChange called when they have changed: none of them can be used any more
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

  open (_info: Uint8Array, layout: InputLayout, has: (piece: number) => boolean): FileStore {
    return new FileStore({
      layout,
      root: this.#found.path,
      isWritable: false,
      isHere: has,
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

  /** Commands may not see what else is beside the original, so they get a copy. The original is served in place. */
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
    // it may still be copying
    await this.#shown?.catch(() => {})
    this.#copied?.close()
    await this.#cache.trim()
  }
}

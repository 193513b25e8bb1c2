/**
 * Makes a task's inputs available to commands: unsplit ones as they are, and of a split one the slice of the piece.
 * Used by supply.ts, which knows what is stored.
 */
import { lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import path from 'node:path'
import { BitWorkerError, CommandError } from '../base/errors.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import type { Given, GivenFile } from '../store/types.ts'
import { quote } from '../task/names.ts'
import type { EmbeddedInput, OutputInput, TaskInput, TorrentInput } from '../task/types.ts'
import { sealFile } from './cache.ts'
import { filePath } from './file-store.ts'
import {
  embeddedSlice, hasVariables, rangeFromTable, rangeOf, sliceEnv, slicePath, tableRange, torrentPiecesOf
} from './slices.ts'
import type { FileRange } from './slices.ts'
import { stampAt } from './stamps.ts'
import type { InputContent, InputStage, InputTorrent, StageFile } from './supply-types.ts'

/** Slices of a list whose place is known; it is read again. */
const MAX_RANGES = 10_000
const COPY_BYTES = 1024 ** 2

/** An input, and the part of it that is stored. */
export interface HeldInput {
  readonly input: TaskInput
  /** null: its metadata has not arrived, or it is in the task itself */
  readonly torrent: InputTorrent | null
  /** null: it is not the output of a task, or the task's metadata has not arrived */
  readonly stage?: InputStage | null
  /** why it cannot be used */
  readonly error: Error | null
}

/** The inputs of a command; they may change while it runs. */
export type GivenInputs = Given & Required<Pick<Given, 'isIntact' | 'giveBack'>>

/** The folder that slices are written to. */
export type SliceFolder = Pick<ComputeStore, 'newPath'>

/** The input files of one task's commands. */
export class ItemInputs {
  readonly #inputs: readonly HeldInput[]
  readonly #split: HeldInput | undefined
  readonly #folder: SliceFolder
  readonly #lost: (piece: number | null) => void
  /** positions of a list's slices, by its table */
  readonly #ranges = new Map<number, FileRange>()
  /** of each name */
  #embedded: Promise<Map<string, Written>> | null = null

  /** @param lost called with the piece whose slice is no longer stored; null: an unsplit input is no longer stored */
  constructor (inputs: readonly HeldInput[], folder: SliceFolder, lost: (piece: number | null) => void = () => {}) {
    this.#inputs = inputs
    this.#split = inputs.find(({ input }) => input.split !== undefined)
    this.#folder = folder
    this.#lost = lost
  }

  /** The slice of a piece, if it is known without reading. */
  knownRange (input: TorrentInput, torrent: InputTorrent, piece: number): FileRange | undefined {
    return rangeOf(input, torrent.layout, piece) ?? this.#ranges.get(piece)
  }

  /** The slice of a piece, of which the range `tableRange` is stored. Rejects with BW_ERR_INPUT. */
  async rangeOf (input: TorrentInput, torrent: InputTorrent, piece: number): Promise<FileRange> {
    const known = this.knownRange(input, torrent, piece)
    if (known !== undefined) return known
    const range = rangeFromTable(input, torrent.layout, await torrent.read(tableRange(torrent.layout, piece)))
    if (this.#ranges.size >= MAX_RANGES) this.#ranges.clear()
    this.#ranges.set(piece, range)
    return range
  }

  /**
   * The inputs of a piece's work item. Rejects with BW_ERR_INPUT if an input is no longer stored, and with errors of
   * the disk.
   */
  async forPiece (piece: number): Promise<GivenInputs> {
    const given = await this.whole()
    if (this.#split === undefined) return given
    const { input } = this.#split
    const isSliceIntact = this.#watchSlice(piece)
    const { path: at, name, giveBack, bytes } = await this.#sliceOf(this.#split, piece)
    try {
      const variables = hasVariables(input) ? sliceEnv(input, await bytes()) : {}
      const isIntact = async (): Promise<boolean> => await given.isIntact() && await isSliceIntact()
      if (!await isSliceIntact()) throw gone(input)
      return {
        files: [...given.files, { path: at, name }], env: { ...variables, INPUT: name }, stdin: at, isIntact, giveBack
      }
    } catch (err) {
      giveBack()
      throw err instanceof BitWorkerError && err.blame === 'input' ? flawOf(err) : err
    }
  }

  async #sliceOf ({ input, torrent, stage = null }: HeldInput, piece: number): Promise<NamedSlice> {
    if (input.task !== undefined) return await this.#stageSlice(input, stage, piece)
    const slice = input.data === undefined
      ? await this.#slice(input, torrent, piece)
      : this.#embeddedSlice(input, piece)
    return { ...slice, name: slicePath(input, torrent?.layout, piece) }
  }

  /** The inputs that all pieces see. Rejects like `forPiece`. */
  async whole (): Promise<GivenInputs> {
    this.#embedded ??= this.#writeEmbedded().catch((err: unknown) => {
      this.#embedded = null // the disk may have room the next time
      throw err
    })
    const embedded = await this.#embedded
    const held = this.#inputs.filter(entry => entry !== this.#split)
    const isIntact = this.#watchWhole(held, embedded)
    const files: GivenFile[] = []
    for (const entry of held) files.push(...await this.#wholeOf(entry, embedded))
    return { files, isIntact, giveBack: () => {} }
  }

  async #wholeOf (entry: HeldInput, embedded: ReadonlyMap<string, Written>): Promise<GivenFile[]> {
    const { input, torrent, stage = null } = entry
    if (stage !== null && isComplete(entry) && await stage.wasIntact()) {
      return (await stage.files()).map(file => named(input, file))
    }
    const at = isComplete(entry) ? embedded.get(input.name)?.path ?? torrent?.root ?? undefined : undefined
    if (at === undefined || lstatSync(at, { throwIfNoEntry: false }) === undefined) {
      // embedded inputs are written again
      this.#embedded = null
      this.#lose(contentOf(entry), null)
      throw gone(input)
    }
    return [{ path: at, name: input.name }]
  }

  /** Gives what is asked when a command has ended: what it has read may have been changed meanwhile. */
  #watchWhole (held: readonly HeldInput[], embedded: ReadonlyMap<string, Written>): () => Promise<boolean> {
    const contents = held.map(contentOf)
      .flatMap(content => content === null ? [] : [{ content, version: content.version }])
    const isSame = (): boolean => contents.every(({ content, version }) => content.version === version)
    return async () => {
      if ([...embedded.values()].some(({ path: at, stamp }) => stampAt(at) !== stamp)) {
        this.#embedded = null
        return false
      }
      for (const { content } of contents) {
        if (!isSame()) return false
        if (await content.isIntact('all')) continue
        if (isSame()) this.#lose(content, null)
        return false
      }
      return isSame()
    }
  }

  /** Likewise. Of a list, the table is part of it. */
  #watchSlice (piece: number): () => Promise<boolean> {
    const { split } = this.#split!.input
    const content = contentOf(this.#split!)
    // pieces of a task are copied
    if (content === null || split?.by === 'pieces') return async () => true
    const { version } = content
    const isSame = (): boolean => content.version === version
    return async () => {
      if (!isSame()) return false
      if (await content.isIntact(split?.by === 'files' ? piece : 'all')) return isSame()
      if (isSame()) this.#lose(content, piece)
      return false
    }
  }

  /** The data on disk has changed: that of this piece, or all of it if null. */
  #lose (content: InputContent | null, piece: number | null): void {
    this.#lost(piece)
    content?.recheck()
  }

  async #writeEmbedded (): Promise<Map<string, Written>> {
    const whole = this.#inputs.filter(({ input }) => input.data !== undefined && input.split === undefined)
    if (whole.length === 0) return new Map()
    const folder = this.#folder.newPath()
    mkdirSync(folder, { mode: 0o711 })
    return new Map(whole.map(({ input: { name, data } }) => {
      const at = writeInput(path.join(folder, name), data!)
      return [name, { path: at, stamp: stampAt(at) }]
    }))
  }

  #embeddedSlice (input: EmbeddedInput, piece: number): Slice {
    const slice = embeddedSlice(input, piece)
    const at = writeInput(`${this.#folder.newPath()}.in`, slice)
    return { path: at, giveBack: () => { remove(at) }, bytes: async () => slice }
  }

  async #slice (input: TorrentInput, torrent: InputTorrent | null, piece: number): Promise<Slice> {
    if (torrent === null) throw gone(input)
    const range = await this.rangeOf(input, torrent, piece)
    if (lacking(torrent, range).length > 0) {
      this.#lost(piece)
      throw gone(input)
    }
    if (input.split?.by === 'files' && torrent.root !== null) {
      const at = filePath(torrent.root, torrent.layout, range.file)
      const size = lstatSync(at, { throwIfNoEntry: false })?.size
      if (size === range.end) return { path: at, giveBack: () => {}, bytes: async () => torrent.read(range) }
      this.#lose(torrent, piece)
      throw gone(input)
    }
    const at = await this.#copied(range.end - range.start, async (offset, size) => {
      const start = range.start + offset
      return await torrent.read({ ...range, start, end: start + size })
    })
    return { path: at, giveBack: () => { remove(at) }, bytes: async () => torrent.read(range) }
  }

  /** A file of the other task in its place, or a copy of its piece, whose place may change. */
  async #stageSlice (input: OutputInput, stage: InputStage | null, piece: number): Promise<NamedSlice> {
    if (stage?.has(piece) !== true) {
      this.#lost(piece)
      throw gone(input)
    }
    if (input.split?.by === 'files') return { ...named(input, stage.file(piece)), giveBack: () => {}, bytes: noBytes }
    try {
      const { size, read } = stage.piece(piece)
      const at = await this.#copied(size, read)
      return { path: at, name: input.name, giveBack: () => { remove(at) }, bytes: noBytes }
    } catch (err) {
      if (!(err instanceof BitWorkerError) || !err.code.startsWith('BW_ERR_PIECE_')) throw err
      this.#lost(piece)
      throw gone(input)
    }
  }

  async #copied (size: number, read: (offset: number, size: number) => Promise<Uint8Array>): Promise<string> {
    const at = `${this.#folder.newPath()}.in`
    const file = await open(at, 'wx', 0o600)
    try {
      for (let offset = 0; offset < size; offset += COPY_BYTES) {
        await file.writeFile(await read(offset, Math.min(size - offset, COPY_BYTES)))
      }
      sealFile(at)
      return at
    } catch (err) {
      remove(at)
      throw err
    } finally {
      await file.close()
    }
  }
}

/** What is in the task itself, on the disk. */
interface Written { path: string, stamp: string }

/** A slice on the disk. */
interface Slice { path: string, giveBack: () => void, bytes: () => Promise<Uint8Array> }
/** `name`: from the working directory */
interface NamedSlice extends Slice { name: string }

function writeInput (at: string, bytes: Uint8Array): string {
  writeFileSync(at, bytes, { flag: 'wx', mode: 0o600 })
  sealFile(at)
  return at
}

function remove (at: string): void { void rm(at, { force: true }).catch(() => {}) }

/** True if all of the input is stored. */
export function isComplete (held: HeldInput): boolean {
  return held.input.data !== undefined || (held.error === null && contentOf(held)?.missing() === 0)
}

/** Null for an embedded input, too. */
export function contentOf ({ torrent, stage = null }: HeldInput): InputContent | null { return torrent ?? stage }

function named ({ name }: TaskInput, file: StageFile): GivenFile {
  return { path: file.path, name: file.name === '' ? name : `${name}/${file.name}` }
}

/** The output of a task gives no variables. */
async function noBytes (): Promise<Uint8Array> { return new Uint8Array() }

/** The torrent pieces of a range that are not stored. */
export function lacking (torrent: InputTorrent, range: FileRange): number[] {
  const pieces = torrentPiecesOf(torrent.layout, range)
  const lacks: number[] = []
  if (pieces === null) return lacks
  for (let piece = pieces.first; piece <= pieces.last; piece++) if (!torrent.has(piece)) lacks.push(piece)
  return lacks
}

/** An error that no further attempt can avoid counts against the piece, like a failed command. */
function flawOf ({ code, message }: BitWorkerError): CommandError {
  return new CommandError(code, message, { exitCode: null, signal: null, stderr: '' })
}

function gone ({ name }: TaskInput): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'system', `The input ${quote(name)} is no longer stored. It will be downloaded again.`)
}

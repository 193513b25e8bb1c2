/**
 * The output of a task that another one reads, as the supply of that one sees it: which of its pieces and files are
 * here, and which of them are to come first. Made by shared-stage.ts.
 */
import { lstatSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { BitWorkerError } from '../base/errors.ts'
import { SharedCheck } from '../inputs/stamps.ts'
import type { InputStage, StageFile } from '../inputs/supply-types.ts'
import type { WorkSession } from '../session/work-session.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import { quote } from '../task/names.ts'
import type { OutputInput, Task } from '../task/types.ts'
import type { InternalTorrent } from './internals.ts'
import type { TaskFileView } from './task-file-view.ts'

/** If we are root, commands run as another user. */
const READABLE = process.getuid?.() === 0 ? 0o004 : 0o400

/** The part of ComputeTorrent that is looked at, once it is ready. */
export interface StageTorrent extends InternalTorrent {
  readonly task: Task | null
  readonly _session: WorkSession<ComputeStore> | null
  /** resolves when the folder was given back */
  readonly _closed: Promise<void>
}

/** What a file was when it was finished: its digest had just been compared. */
type Mark = Pick<Stats, 'size' | 'mtimeMs' | 'ino'>

/** One task's view of the other one. */
export class StageView implements InputStage {
  readonly #torrent: StageTorrent
  readonly #task: Task
  readonly #input: OutputInput
  /** what is a unit to others: files of the task, or its pieces */
  readonly #files: number[]
  readonly #isPerPiece: boolean
  readonly #marks = new Map<number, Mark>()
  readonly #asked = new Set<number>()
  readonly #all = new SharedCheck(() => this.#files, file => this.#isUnchanged(file))
  #isAll = false
  #shown: Promise<StageFile[]> | null = null
  #isRechecking = false
  version = 0
  readonly #tellAll: (isAll: boolean) => void

  /**
   * @param torrent ready
   * @param tellAll called when this one begins or ceases to want all of it
   * Throws BW_ERR_INPUT where the task is not what the other one says of it
   */
  constructor (torrent: StageTorrent, input: OutputInput, pieceCount: number, tellAll: (isAll: boolean) => void) {
    const task = torrent.task!
    this.#torrent = torrent
    this.#task = task
    this.#input = input
    this.#isPerPiece = input.split?.by === 'pieces'
    this.#files = filesOf(task, input)
    this.#tellAll = tellAll
    if (task.completeBy !== undefined && !this.#isPerPiece) {
      throw inputError(input, 'is the output of a task whose files only its author makes')
    }
    const units = this.#isPerPiece ? task.pieceCount : this.#files.length
    if (input.split === undefined || units === pieceCount) return
    throw inputError(input, `is the output of a task with ${units} ${this.#isPerPiece ? 'pieces' : 'files'}, not one for each of the ${pieceCount} pieces`)
  }

  have (): number { return this.#files.reduce((sum, file) => sum + this.#view(file).downloaded, 0) }

  missing (): number {
    if (this.#isPerPiece) return this.#torrent._session?.stats().missing ?? Infinity
    return this.#files.filter(file => !this.#isFinished(file)).length
  }

  has (unit: number): boolean {
    return this.#isPerPiece ? this.#torrent.pieces[unit] === null : this.#isFinished(this.#files[unit]!)
  }

  want (units: Iterable<number> | 'all'): void {
    const wantsAll = units === 'all' && this.missing() > 0
    if (wantsAll !== this.#isAll) {
      this.#isAll = wantsAll
      // of one file only its own pieces
      if (this.#input.task.path === undefined) this.#tellAll(wantsAll)
      else if (wantsAll) this.#askFor(this.#files[0]!)
    }
    if (units === 'all') return
    for (const unit of units) {
      if (this.#asked.has(unit) && !this.has(unit)) continue
      this.#asked.add(unit)
      if (this.#isPerPiece) this.#torrent.critical(unit, unit)
      else this.#askFor(this.#files[unit]!)
    }
  }

  #askFor (file: number): void {
    const { firstPiece, parts } = this.#task.files[file]!
    this.#torrent.critical(firstPiece, firstPiece + parts - 1)
  }

  sliceBytes (piece: number): number {
    return this.#isPerPiece ? this.#task.pieceLength : this.#view(this.#files[piece]!).length
  }

  async isIntact (file: number | 'all'): Promise<boolean> {
    return file === 'all' ? this.#all.run() : this.#isUnchanged(this.#files[file]!)
  }

  recheck (): void {
    this.#marks.clear()
    this.#shown = null
    this.version++
    if (this.#isRechecking || this.#torrent.destroyed) return
    this.#isRechecking = true
    this.#torrent.rescanFiles(() => { this.#isRechecking = false })
  }

  async files (): Promise<StageFile[]> {
    this.#shown ??= this.#show().catch((err: unknown) => {
      this.#shown = null
      throw err
    })
    return this.#shown
  }

  /** One folder where nothing else is in it: mounts cost. */
  async #show (): Promise<StageFile[]> {
    const at = this.#files.map(file => ({ path: this.#pathOf(file), name: this.#nameOf(file) }))
    for (const file of at) await this.#checkReadable(file.path)
    const [only] = at
    if (only !== undefined && (isSingle(this.#task) || this.#input.task.path !== undefined)) return [{ path: only.path, name: '' }]
    const root = path.join(this.#torrent.path, this.#task.name)
    return await hasOnly(root, new Set(at.map(({ name }) => name))) ? [{ path: root, name: '' }] : at
  }

  file (piece: number): StageFile {
    const file = this.#files[piece]!
    return { path: this.#pathOf(file), name: isSingle(this.#task) ? '' : this.#nameOf(file) }
  }

  size (piece: number): number { return this.#torrent._session?.results.own(piece)?.size ?? 0 }

  async read (piece: number, offset: number, length: number): Promise<Uint8Array> {
    return await this.#torrent._session!.read(piece, offset, length)
  }

  #view (file: number): TaskFileView { return this.#torrent.files[file] as TaskFileView }

  #isFinished (file: number): boolean {
    if (!this.#view(file).isFinished) return this.#marks.delete(file) && false
    if (!this.#marks.has(file)) {
      const stats = lstatSync(this.#pathOf(file), { throwIfNoEntry: false })
      if (stats === undefined) return false
      this.#marks.set(file, stats)
      this.#shown = null
    }
    return true
  }

  #isUnchanged (file: number): boolean {
    const mark = this.#isFinished(file) ? this.#marks.get(file) : undefined
    const stats = lstatSync(this.#pathOf(file), { throwIfNoEntry: false })
    return mark !== undefined && stats !== undefined &&
      stats.size === mark.size && stats.mtimeMs === mark.mtimeMs && stats.ino === mark.ino
  }

  #pathOf (file: number): string { return this.#view(file)._finished?.path ?? '' }

  /** Below the folder of the task. */
  #nameOf (file: number): string { return this.#task.files[file]!.path.slice(this.#task.name.length + 1) }

  async #checkReadable (at: string): Promise<void> {
    if (((await stat(at)).mode & READABLE) === READABLE) return
    throw inputError(this.#input, `cannot be shown to commands: ${at} is not readable for those that they run as`)
  }
}

/** Nothing else is in the folder, and commands can open all of its folders. */
async function hasOnly (root: string, names: ReadonlySet<string>): Promise<boolean> {
  const folders = [root]
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const at = path.join(entry.parentPath, entry.name)
    if (entry.isDirectory()) folders.push(at)
    else if (!entry.isFile() || !names.has(path.relative(root, at))) return false
  }
  const needed = READABLE | (READABLE >> 2)
  const modes = await Promise.all(folders.map(async folder => (await stat(folder)).mode))
  return modes.every(mode => (mode & needed) === needed)
}

function isSingle ({ name, files }: Task): boolean { return files.length === 1 && files[0]!.path === name }

function filesOf (task: Task, input: OutputInput): number[] {
  const { path: wanted } = input.task
  if (wanted === undefined) return [...task.files.keys()]
  const index = task.files.findIndex(file => file.path === `${task.name}/${wanted}`)
  if (index === -1) throw inputError(input, `is the file ${quote(wanted)} of a task that has none of that name`)
  return [index]
}

export function inputError ({ name }: OutputInput, why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'input', `The input ${quote(name)} ${why}.`)
}

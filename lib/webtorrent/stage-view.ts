/**
 * The output of a task that another one reads, as the supply of that one sees it: which of its pieces and files are
 * here, and which of them are to come first. Made by shared-stage.ts.
 */
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { equalBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { SharedCheck } from '../inputs/stamps.ts'
import type { InputStage, StageFile, StagePiece } from '../inputs/supply-types.ts'
import type { WorkSession } from '../session/work-session.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import { isSameMark, markAt } from '../store/finished-files.ts'
import type { FileMark } from '../store/finished-files.ts'
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

/** What a view tells of itself. */
export interface StageUser {
  /** it begins or ceases to want all of it */
  wantsAll (isAll: boolean): void
  /** it was checked again */
  changed (): void
}

/** One task's view of the other one. */
export class StageView implements InputStage {
  readonly #torrent: StageTorrent
  readonly #task: Task
  readonly #input: OutputInput
  /** what is a unit to others: files of the task, or its pieces */
  readonly #files: number[]
  readonly #isPerPiece: boolean
  /** the finished files as they were when they were compared with their digests */
  readonly #marks = new Map<number, FileMark>()
  readonly #asked = new Set<number>()
  readonly #all = new SharedCheck(() => this.#files, file => this.#isUnchanged(file))
  #isAll = false
  #shown: Promise<StageFile[]> | null = null
  #isRechecking = false
  version = 0
  readonly #user: StageUser

  /** @param torrent ready. Throws BW_ERR_INPUT where the task is not what the other one says of it */
  constructor (torrent: StageTorrent, input: OutputInput, pieceCount: number, user: StageUser) {
    const task = torrent.task!
    checkMeant(task, input)
    this.#torrent = torrent
    this.#task = task
    this.#input = input
    this.#isPerPiece = input.split?.by === 'pieces'
    this.#files = filesOf(task, input)
    this.#user = user
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
      if (this.#input.task.path === undefined) this.#user.wantsAll(wantsAll)
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

  async wasIntact (): Promise<boolean> { return this.#all.before() }

  /** Until that has ended, nothing of it is finished. */
  recheck (): void {
    this.version++
    if (this.#isRechecking || this.#torrent.destroyed) return
    this.#isRechecking = true
    this.#torrent.rescanFiles(() => {
      this.#isRechecking = false
      this.#user.changed()
    })
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

  piece (index: number): StagePiece {
    const session = this.#torrent._session!
    const result = session.results.own(index)
    return {
      size: result?.size ?? 0,
      read: async (offset, length) => {
        const bytes = await session.read(index, offset, length)
        const now = session.results.own(index)
        // replaced in the meantime, perhaps by another result
        if (result === undefined || now === undefined || !equalBytes(now.digest, result.digest)) throw replaced(index)
        return bytes
      }
    }
  }

  #view (file: number): TaskFileView { return this.#torrent.files[file] as TaskFileView }

  #isFinished (file: number): boolean {
    if (this.#isRechecking) return false
    this.#note(file)
    return this.#marks.has(file)
  }

  /** Whoever reads a file that is made again may have read of both. */
  #note (file: number): void {
    const mark = this.#view(file).isFinished ? this.#torrent._session?.store.finishedMark(file) : undefined
    const known = this.#marks.get(file)
    if (mark === known) return
    if (known !== undefined) this.version++
    if (mark === undefined) this.#marks.delete(file)
    else this.#marks.set(file, mark)
    this.#shown = null
  }

  #isUnchanged (file: number): boolean {
    const { version } = this
    if (!this.#isFinished(file) || version !== this.version) return false
    return isSameMark(this.#marks.get(file), markAt(this.#pathOf(file)))
  }

  #pathOf (file: number): string { return this.#view(file)._finished?.path ?? '' }

  /** Below the folder of the task. */
  #nameOf (file: number): string { return this.#task.files[file]!.path.slice(this.#task.name.length + 1) }

  async #checkReadable (at: string): Promise<void> {
    if (((await stat(at)).mode & READABLE) === READABLE) return
    throw inputError(this.#input, `cannot be shown to commands: ${at} is not readable for those that they run as`)
  }
}

/** Throws BW_ERR_INPUT for another task than the one that is meant. */
function checkMeant ({ digest }: Task, input: OutputInput): void {
  if (equalBytes(digest, input.task.digest)) return
  throw inputError(input, 'is the output of another task than the one that is meant')
}

function replaced (index: number): BitWorkerError {
  return new BitWorkerError('BW_ERR_PIECE_LOST', 'system', `Piece ${index} was replaced while it was read.`)
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

/**
 * Finishes a file whose parts are all stored: the parts one after another, or what the task's complete command makes of
 * them. Either way it is written elsewhere, written down in the journal, and only then renamed: a half-written file
 * never carries the final name, and a file with the final name is always recognised as ours.
 */
import { closeSync, constants, fsyncSync, mkdirSync, openSync, renameSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { BitWorkerError } from './errors.ts'
import { ioError } from './io-errors.ts'
import type { Result } from './results.ts'
import { runCompleteCommand } from './store-complete.ts'
import type { Draft } from './store-complete.ts'
import type { TaskFolder } from './store-folder.ts'
import type { RunOptions } from './store-generate.ts'
import { Pacer, checkAborted, copyRegion, isGone, isSameDigest, openRegular } from './store-io.ts'
import { lstatOrNull, makeParents, removeTree } from './store-layout.ts'
import { foreign, offsetsOf } from './store-restore.ts'
import type { Place } from './store-table.ts'

/** A file that is finished. */
export interface FinishedFile {
  /** absolute */
  path: string
  /** bytes */
  length: number
}

/** How a file is finished. */
export interface FinishOptions {
  /** run the task's complete command; without it, a task that has one is not finished */
  run: boolean
  signal?: AbortSignal
}

/** Written at a time, so that a file of many tiny parts is not written in tiny steps. */
const WRITE_BYTES = 1024 * 1024

/**
 * Finishes a file; null if its complete command may not run. Rejects with BW_ERR_PART_MISSING, BW_ERR_PART_CORRUPT
 * (after `onLost`), BW_ERR_FILE_EXISTS, BW_ERR_SYMLINK, BW_ERR_ABORTED, BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER, and for
 * a complete command as RunningItem does and with BW_ERR_COMPLETE_NO_FILE.
 */
export async function finishFile (folder: TaskFolder, file: number, opts: FinishOptions, run: RunOptions): Promise<FinishedFile | null> {
  const { task, layout } = folder
  const description = task.files[file]
  if (description === undefined) throw new BitWorkerError('BW_ERR_TASK_PIECE', 'usage', `there is no file ${file}; the task has ${task.files.length} files`)
  const final = layout.final(description)
  const length = folder.table.finished.get(file)
  if (length !== undefined) return { path: final, length }
  const snapshot = partsOf(folder, file)
  if (task.completeCommand !== undefined && !opts.run) return null
  checkAborted(opts.signal)
  refuseForeign(folder, file)
  const work = folder.newWork()
  try {
    mkdirSync(work, { mode: 0o700 })
    const out = task.completeCommand === undefined
      ? await concatenate(folder, file, path.join(work, 'out'), opts.signal)
      : await runCompleteCommand(folder, file, work, run, opts.signal)
    await install(folder, file, out, snapshot)
    return { path: final, length: out.size }
  } catch (err) {
    throw ioError(err, layout.folder)
  } finally {
    await removeTree(work)
  }
}

/** The results of all parts of a file, in order. Throws BW_ERR_PART_MISSING. */
function partsOf ({ task, table: { results } }: TaskFolder, file: number): Result[] {
  const { firstPiece, parts, path: name } = task.files[file]!
  return Array.from({ length: parts }, (_, part) => {
    const result = results.get(firstPiece + part)
    if (result === undefined) throw new BitWorkerError('BW_ERR_PART_MISSING', 'usage', `${name} cannot be finished yet: its part ${part} is not stored`)
    return result
  })
}

async function concatenate (folder: TaskFolder, file: number, out: string, signal: AbortSignal | undefined): Promise<Draft> {
  const { firstPiece, parts } = folder.task.files[file]!
  const pacer = new Pacer(signal)
  const handle = await open(out, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW)
  try {
    const writer = new BatchWriter(handle)
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      await copyPart(folder, index, writer)
      await pacer.step()
    }
    return { path: out, ...await writer.end() }
  } finally {
    await handle.close()
  }
}

async function copyPart (folder: TaskFolder, index: number, writer: BatchWriter): Promise<void> {
  let cause: unknown
  try {
    if (await copyIntact(folder.table.where(index), writer)) return
  } catch (err) {
    if (!isGone(err)) throw err
    cause = err
  }
  folder.lose(index)
  throw new BitWorkerError('BW_ERR_PART_CORRUPT', 'system', `piece ${index} was damaged on disk; it will be fetched or computed again`, { cause })
}

async function copyIntact (place: Place | null, writer: BatchWriter): Promise<boolean> {
  if (place === null) return false
  const { position, result } = place
  const fd = openRegular(place.path)
  try {
    const digest = await copyRegion({ fd, position, size: result.size }, chunk => writer.write(chunk))
    return digest !== null && isSameDigest(digest, result.digest)
  } finally {
    closeSync(fd)
  }
}

/** Writes small chunks in large steps, and hashes what it writes. */
class BatchWriter {
  readonly #handle: FileHandle
  readonly #digest = createHash('sha256')
  #chunks: Buffer[] = []
  #pending = 0
  #size = 0

  constructor (handle: FileHandle) {
    this.#handle = handle
  }

  async write (chunk: Buffer): Promise<void> {
    this.#digest.update(chunk)
    this.#chunks.push(chunk)
    this.#pending += chunk.length
    if (this.#pending >= WRITE_BYTES) await this.#flush()
  }

  /** Makes the file survive a power cut. */
  async end (): Promise<Result> {
    await this.#flush()
    await this.#handle.sync()
    return { size: this.#size, digest: this.#digest.digest() }
  }

  async #flush (): Promise<void> {
    const bytes = Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#pending = 0
    for (let at = 0; at < bytes.length;) at += (await this.#handle.write(bytes, at)).bytesWritten
    this.#size += bytes.length
  }
}

/** In this order: journal, name, parts. Whatever ends us in between, the next start finds either all parts or a file it knows. */
async function install (folder: TaskFolder, file: number, draft: Draft, snapshot: Result[]): Promise<void> {
  const { task, layout } = folder
  const { firstPiece, path: relative } = task.files[file]!
  const final = layout.final(task.files[file]!)
  makeParents(layout.folder, relative)
  await folder.announceFile(file, draft)
  if (snapshot.some((result, part) => folder.table.results.get(firstPiece + part) !== result)) {
    throw new BitWorkerError('BW_ERR_PART_MISSING', 'usage', `${relative} cannot be finished yet: one of its parts was lost meanwhile`)
  }
  refuseForeign(folder, file)
  renameSync(draft.path, final)
  syncFolder(path.dirname(final))
  await folder.adoptFile(file, draft.size, offsetsOf(task, file, { get: piece => folder.table.results.get(piece)?.size }))
}

/** Throws BW_ERR_FILE_EXISTS if what stands in the file's place is not ours to overwrite. */
function refuseForeign ({ task, layout, force, table: { ours } }: TaskFolder, file: number): void {
  const final = layout.final(task.files[file]!)
  const stats = lstatOrNull(final)
  if (stats === null || (force && !stats.isDirectory())) return
  if (!stats.isFile() || stats.size !== ours.get(file)) throw foreign(final)
}

/** The name must be on disk before the parts are removed. */
function syncFolder (dir: string): void {
  const fd = openSync(dir, constants.O_RDONLY)
  try {
    fsyncSync(fd)
  } catch {} // some file systems do not do that for folders
  closeSync(fd)
}

/**
 * What of a task is on disk, after whatever ended the last run: the journal says what should be there, and only what
 * matches its digest is believed. Called by TaskFolder.open.
 */
import { closeSync, fstatSync, readdirSync, renameSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from './errors.ts'
import { FILE_FINISHED, PIECE_DROPPED, PIECE_STORED } from './journal.ts'
import type { Journal, JournalRecord } from './journal.ts'
import type { Result } from './results.ts'
import { Pacer, hashFile, hashRegion, isGone, isSameDigest, openRegular, readAt, writeNew } from './store-io.ts'
import { checkParents, lstatOrNull, partName, removeFile } from './store-layout.ts'
import type { StoreLayout } from './store-layout.ts'
import { PieceTable } from './store-table.ts'
import { locate } from './task.ts'
import type { Task } from './task.ts'

interface Sources { task: Task, layout: StoreLayout, journal: Journal, records: JournalRecord[], force: boolean, signal?: AbortSignal }

interface FinishedRecord { size: number, digest: Uint8Array, offsets: Float64Array | null }

interface Claims { pieces: Map<number, Result>, files: Map<number, FinishedRecord> }

/** A finished file's state: where its pieces are, and which of them are intact. */
interface Final { isOurs: boolean, isFinished: boolean, length: number, offsets: Float64Array | null, intact: Set<number> }

/**
 * Checks everything the journal names, and removes the parts that nothing vouches for. Throws BW_ERR_FILE_EXISTS if a
 * file of somebody else stands in a finished file's place (unless `force`), BW_ERR_SYMLINK, BW_ERR_OUTPUT_FOLDER.
 */
export async function restore (sources: Sources): Promise<PieceTable> {
  const { task, layout } = sources
  const claims = replay(task, sources.records)
  const finals = new Map<number, Final>()
  for (let file = 0; file < task.files.length; file++) {
    const final = await inspectFinal(sources, claims, file)
    if (final !== null) finals.set(file, final)
  }
  const table = new PieceTable(task, layout)
  for (const [file, { isOurs, isFinished, length }] of finals) {
    if (isFinished) table.setFinished(file, length)
    else if (isOurs) table.ours.set(file, length)
  }
  const names = new Set(readdirSync(layout.parts))
  await restorePieces(sources, { claims, finals, names }, table)
  for (const name of names) removeFile(path.join(layout.parts, name))
  return table
}

function replay (task: Task, records: JournalRecord[]): Claims {
  const claims: Claims = { pieces: new Map(), files: new Map() }
  const sizes = new Map<number, number>()
  for (const { type, index, size, digest } of records) {
    if (type === PIECE_DROPPED) claims.pieces.delete(index)
    if (type === PIECE_STORED) {
      claims.pieces.set(index, { size, digest })
      sizes.set(index, size)
    }
    // the offsets as they were then: a piece that was lost and computed again may have another size now
    if (type === FILE_FINISHED) claims.files.set(index, { size, digest, offsets: offsetsOf(task, index, sizes) })
  }
  return claims
}

/** Where each part of a concatenated file begins, and as last entry its length; null if a size is not known, or it is no concatenation. */
export function offsetsOf (task: Task, file: number, sizes: { get (piece: number): number | undefined }): Float64Array | null {
  if (task.completeCommand !== undefined) return null
  const { firstPiece, parts } = task.files[file]!
  const offsets = new Float64Array(parts + 1)
  for (let part = 0; part < parts; part++) {
    const size = sizes.get(firstPiece + part)
    if (size === undefined) return null
    offsets[part + 1] = offsets[part]! + size
  }
  return offsets
}

async function inspectFinal (sources: Sources, { pieces, files }: Claims, file: number): Promise<Final | null> {
  const { task, layout, force } = sources
  const at = layout.final(task.files[file]!)
  checkParents(layout.folder, task.files[file]!.path)
  const stats = lstatOrNull(at)
  if (stats === null) return null
  if (!stats.isFile()) {
    if (force && !stats.isDirectory()) return null
    throw foreign(at)
  }
  const record = files.get(file)
  const isOurs = record?.size === stats.size
  const offsets = record?.offsets ?? offsetsOf(task, file, { get: piece => pieces.get(piece)?.size })
  const intact = offsets === null ? new Set<number>() : await intactIn(at, task.files[file]!, offsets, pieces, sources.signal)
  const isConcatenation = offsets?.at(-1) === stats.size && intact.size === task.files[file]!.parts
  if (isOurs) {
    const isFinished = isConcatenation || (task.completeCommand !== undefined && isSameDigest((await hashFile(at)).digest, record.digest))
    return { isOurs, isFinished, length: stats.size, offsets, intact }
  }
  if (isConcatenation) {
    // a rename that the journal knows nothing of, after a power cut, is recognised by its content
    await sources.journal.append({ type: FILE_FINISHED, index: file, ...await hashFile(at) })
  } else if (!force) {
    throw foreign(at)
  }
  return { isOurs: isConcatenation, isFinished: isConcatenation, length: stats.size, offsets, intact }
}

/** The error for a file of somebody else's where one of ours should go. */
export function foreign (at: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage',
    `${at} exists already and is not what bitworker wrote; move it away, choose another folder with -o, or overwrite files with --force`)
}

async function intactIn (at: string, { firstPiece, parts }: Task['files'][number], offsets: Float64Array,
  pieces: Map<number, Result>, signal?: AbortSignal): Promise<Set<number>> {
  const intact = new Set<number>()
  const pacer = new Pacer(signal)
  const fd = openRegular(at)
  try {
    for (let part = 0; part < parts; part++) {
      const result = pieces.get(firstPiece + part)
      const position = offsets[part]!
      if (result === undefined || result.size !== offsets[part + 1]! - position) continue
      const digest = await hashRegion(fd, position, result.size)
      if (digest !== null && isSameDigest(digest, result.digest)) intact.add(firstPiece + part)
      await pacer.step()
    }
  } finally {
    closeSync(fd)
  }
  return intact
}

interface OnDisk { claims: Claims, finals: Map<number, Final>, names: Set<string> }

/** Takes the names of good parts out of `names`: what is left there is not. */
async function restorePieces (sources: Sources, { claims, finals, names }: OnDisk, table: PieceTable): Promise<void> {
  const { task, layout, journal } = sources
  const pacer = new Pacer(sources.signal)
  for (const [index, result] of claims.pieces) {
    const { file, part } = locate(task, index)
    const final = finals.get(file)
    const name = partName(index)
    if (final?.isFinished === true && final.offsets !== null) {
      table.setPart(index, result)
      table.moveToFile(index, final.offsets[part]!)
    } else if (names.has(name) && await isIntact(layout.part(index), result)) {
      names.delete(name)
      table.setPart(index, result)
    } else if (final?.intact.has(index) === true) {
      await salvage(sources, file, index, final.offsets![part]!, result.size)
      names.delete(name)
      table.setPart(index, result)
    } else {
      await journal.append({ type: PIECE_DROPPED, index, ...result })
    }
    await pacer.step()
  }
}

async function isIntact (part: string, { size, digest }: Result): Promise<boolean> {
  let fd = -1
  try {
    fd = openRegular(part)
    if (fstatSync(fd).size !== size) return false
    const actual = await hashRegion(fd, 0, size)
    return actual !== null && isSameDigest(actual, digest)
  } catch (err) {
    if (isGone(err)) return false
    throw err
  } finally {
    if (fd !== -1) closeSync(fd)
  }
}

/** An intact piece of a damaged finished file becomes a part again: the file will be written anew. */
async function salvage ({ task, layout }: Sources, file: number, index: number, position: number, size: number): Promise<void> {
  const draft = path.join(layout.work, `salvage-${partName(index)}`)
  const fd = openRegular(layout.final(task.files[file]!))
  try {
    await writeNew(draft, await readAt(fd, position, size))
  } finally {
    closeSync(fd)
  }
  renameSync(draft, layout.part(index))
}

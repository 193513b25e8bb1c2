/**
 * Determines what is on disk after the last run, however it ended: the journal says what should be there, names and
 * sizes whether it can be. Nothing is read here, however much there is: a piece is compared with its digest before its
 * first byte is used (piece-reader.ts), and a finished file before it counts as finished (finish-file.ts). Called by
 * TaskFolder.open.
 */
import { closeSync, readdirSync } from 'node:fs'
import type { Stats } from 'node:fs'
import path from 'node:path'
import { equalBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { PackedResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { isConcatenation } from '../task/unsupported.ts'
import { checkParents, lstatOrNull, removeFile } from './files/folders.ts'
import { hashRegion, openRegular } from '../system/file-io.ts'
import { partName } from './files/layout.ts'
import type { StoreLayout } from './files/layout.ts'
import { Pacer } from './files/pacer.ts'
import { FILE_FINISHED, NO_DIGEST, PIECE_COMPUTED, PIECE_DROPPED, PIECE_PLACED, PIECE_STORED, PIECE_VERIFIED } from './journal.ts'
import type { Journal, JournalRecord } from './journal.ts'
import { PieceTable } from './piece-table.ts'

interface Sources {
  task: Task
  layout: StoreLayout
  journal: Journal
  records: JournalRecord[]
  force: boolean
  signal?: AbortSignal
}

interface FinishedRecord extends Result { offsets: Float64Array | null }

/** The contents of the journal. */
export interface Claims {
  pieces: PackedResults
  files: Map<number, FinishedRecord>
  /** position of each piece in the draft of its file */
  placed: Map<number, number>
  /** pieces that were stored after their file was finished, so they are not in it */
  newer: Set<number>
  /** files that a complete command made of parts of which one has been replaced since */
  outdated: Set<number>
  /** the last result of each piece, stored or not; null: a file is its joined parts, which it says itself */
  latest: PackedResults | null
}

/** The file with the name of a task's file: the positions of its pieces. */
interface Final extends Result {
  offsets: Float64Array | null
  /** it has the recorded length; otherwise its content is unknown */
  isOurs: boolean
}

/**
 * Finds what the journal records, and removes everything else. Throws BW_ERR_FILE_EXISTS if a foreign file is in place
 * of a finished file (unless `force`), BW_ERR_SYMLINK, BW_ERR_OUTPUT_FOLDER.
 */
export async function restore (sources: Sources): Promise<PieceTable> {
  const { task, layout } = sources
  const claims = replay(task, sources.records)
  const table = new PieceTable(task, layout)
  const finals = new Map<number, Final>()
  const drafts = new Map<number, number>()
  for (let file = 0; file < task.files.length; file++) {
    const final = await inspectFinal(sources, claims, file)
    if (final !== null) {
      finals.set(file, final)
      table.recognise(file, final)
      if (final.isOurs && !claims.outdated.has(file)) table.finish(file, final.size)
      continue
    }
    const draft = lstatOrNull(layout.draft(file))
    // a file with another name may belong to anyone: it is not written to
    if (draft?.isFile() === true && draft.nlink === 1) drafts.set(file, draft.size)
    else removeFile(layout.draft(file))
  }
  for (const { type, index, size, digest } of sources.records) {
    if (type === PIECE_COMPUTED) table.setComputed(index, { size, digest })
  }
  const names = new Set(readdirSync(layout.parts))
  await restorePieces(sources, { claims, finals, drafts, names }, table)
  for (const [index, result] of claims.latest ?? []) if (!table.results.has(index)) table.setGone(index, result)
  for (const { type, index, digest } of sources.records) {
    const stored = table.results.get(index)
    if (type === PIECE_VERIFIED && stored !== undefined && equalBytes(stored.digest, digest)) table.setVerified(index)
  }
  for (const name of names) removeFile(path.join(layout.parts, name))
  for (const file of drafts.keys()) if (!table.isDraft(file)) removeFile(layout.draft(file))
  return table
}

/** Applies the records one after another. */
export function replay (task: Task, records: JournalRecord[]): Claims {
  const claims: Claims = {
    pieces: new PackedResults(task.pieceCount),
    files: new Map(),
    placed: new Map(),
    newer: new Set(),
    outdated: new Set(),
    latest: isConcatenation(task) ? null : new PackedResults(task.pieceCount)
  }
  const { latest } = claims
  const sizes = new Map<number, number>()
  for (const { type, index, size, digest } of records) {
    if (type === PIECE_DROPPED || type === PIECE_STORED) claims.placed.delete(index)
    if (type === PIECE_DROPPED) claims.pieces.delete(index)
    if (type === PIECE_PLACED) claims.placed.set(index, size)
    if (type === PIECE_STORED) {
      claims.pieces.set(index, { size, digest })
      claims.newer.add(index)
      sizes.set(index, size)
      if (latest?.has(index) === true && !latest.matches(index, { size, digest })) {
        claims.outdated.add(locate(task, index).file)
      }
      latest?.set(index, { size, digest })
    }
    if (type !== FILE_FINISHED) continue
    // the offsets at that time: a piece that was lost and computed again may have another size now
    claims.files.set(index, { size, digest, offsets: offsetsOf(task, index, piece => sizes.get(piece)) })
    forgetParts(task, index, claims.newer)
    claims.outdated.delete(index)
  }
  return claims
}

/** The file was made of its parts. */
function forgetParts (task: Task, file: number, newer: Set<number>): void {
  const { firstPiece, parts } = task.files[file]!
  for (let index = firstPiece; index < firstPiece + parts; index++) newer.delete(index)
}

/**
 * The position of each part of a concatenated file, followed by its length; null if a size is not known, or if it is no
 * concatenation.
 */
export function offsetsOf (
  task: Task, file: number, sizeOf: (piece: number) => number | undefined
): Float64Array | null {
  if (!isConcatenation(task)) return null
  const { firstPiece, parts } = task.files[file]!
  const offsets = new Float64Array(parts + 1)
  for (let part = 0; part < parts; part++) {
    const size = sizeOf(firstPiece + part)
    if (size === undefined) return null
    offsets[part + 1] = offsets[part]! + size
  }
  return offsets
}

async function inspectFinal (sources: Sources, { pieces, files, newer }: Claims, file: number): Promise<Final | null> {
  const { task, layout, force } = sources
  const at = layout.final(task.files[file]!)
  checkParents(layout.folder, task.files[file]!.path)
  const stats = lstatOrNull(at)
  if (stats === null) return null
  if (!stats.isFile()) {
    if (force && !stats.isDirectory()) return null
    throw foreign(at, stats)
  }
  const record = files.get(file)
  if (record?.size === stats.size) return { ...record, isOurs: true }
  // after a power cut, a rename may not be in the journal; the file is then recognised by its content
  const offsets = offsetsOf(task, file, piece => pieces.sizeOf(piece))
  if (offsets?.at(-1) === stats.size && await isIntact(at, task.files[file]!, offsets, pieces, sources.signal)) {
    const result = { size: stats.size, digest: NO_DIGEST }
    await sources.journal.append({ type: FILE_FINISHED, index: file, ...result })
    forgetParts(task, file, newer)
    return { ...result, offsets, isOurs: true }
  }
  if (!force) throw foreign(at, stats)
  // it will be overwritten; until then it may be our file, truncated
  return record === undefined ? null : { ...record, size: stats.size, isOurs: false }
}

/**
 * Makes the error for a foreign file in place of one of ours. A folder has another code: `force` does not overwrite it.
 */
export function foreign (at: string, stats: Stats): BitWorkerError {
  return stats.isDirectory()
    ? new BitWorkerError(
        'BW_ERR_OUTPUT_FOLDER',
        'usage',
        `${at} is a folder, but the task has a file of that name. Move it away.`,
        { remedy: 'move-away' }
      )
    : new BitWorkerError(
        'BW_ERR_FILE_EXISTS',
        'usage',
        `${at} already exists: BitWorker did not write it, or it has changed since. Move it away.`,
        { remedy: 'move-away' }
      )
}

async function isIntact (at: string, { firstPiece, parts }: Task['files'][number], offsets: Float64Array,
  pieces: PackedResults, signal?: AbortSignal): Promise<boolean> {
  const pacer = new Pacer(signal)
  const fd = openRegular(at)
  try {
    for (let part = 0; part < parts; part++) {
      const { size, digest } = pieces.get(firstPiece + part)!
      const actual = await hashRegion(fd, offsets[part]!, size)
      if (actual === null || !equalBytes(actual, digest)) return false
      await pacer.step()
    }
  } finally {
    closeSync(fd)
  }
  return true
}

interface OnDisk { claims: Claims, finals: Map<number, Final>, drafts: Map<number, number>, names: Set<string> }

/** Removes the names of existing parts from `names`; those that remain belong to nothing. */
async function restorePieces (
  sources: Sources, { claims, finals, drafts, names }: OnDisk, table: PieceTable
): Promise<void> {
  const { task, layout, journal } = sources
  const pacer = new Pacer(sources.signal)
  const drops: Array<Promise<void>> = []
  for (const [index, result] of claims.pieces) {
    const { file, part } = locate(task, index)
    const name = partName(index)
    const final = claims.newer.has(index) ? undefined : finals.get(file)
    const inFinal =
      final !== undefined && (final.isOurs || !names.has(name)) ? positionIn(final, part, result.size) : null
    const position = claims.placed.get(index)
    if (inFinal !== null) {
      table.setMerged(index, result, inFinal)
    } else if (names.has(name) && isPart(layout.part(index), result)) {
      names.delete(name)
      table.setPart(index, result)
    } else if (position !== undefined && position + result.size <= (drafts.get(file) ?? -1)) {
      table.beginDraft(file)
      table.setMerged(index, result, position)
    } else {
      drops.push(journal.append({ type: PIECE_DROPPED, index, ...result }))
    }
    await pacer.step()
  }
  await Promise.all(drops)
  reopenDamaged(task, finals, table)
}

/** The position of the part in the file, if the file is long enough. */
function positionIn ({ offsets, size }: Final, part: number, partSize: number): number | null {
  const start = offsets?.[part] ?? -1
  const end = offsets?.[part + 1] ?? -1
  return start !== -1 && end - start === partSize && end <= size ? start : null
}

function isPart (at: string, { size }: Result): boolean {
  const stats = lstatOrNull(at)
  return stats?.isFile() === true && stats.size === size
}

/** A file that lacks one of its pieces is not finished, but the others may be read from it. */
function reopenDamaged (task: Task, finals: Map<number, Final>, table: PieceTable): void {
  for (const [file, { offsets }] of finals) {
    if (!isConcatenation(task)) continue
    const { firstPiece, parts } = task.files[file]!
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      if (offsets !== null && table.isMerged(index)) continue
      table.reopen(file)
      break
    }
  }
}

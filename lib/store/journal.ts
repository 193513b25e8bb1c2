/**
 * The journal of a task's results: append-only, with a checksum for every record. An incomplete record at its end is
 * cut off when it is opened.
 *
 *   header  "BWJ1", info-hash (20 bytes), task digest (32 bytes)
 *   record  type u8, index u32, size u64, SHA-256 (32 bytes), CRC-32 of these 45 bytes; big-endian
 *
 * The codec is pure. The class Journal at the end handles the file. Called by the store.
 */
import {
  closeSync, constants, fstatSync, fsync, ftruncateSync, openSync, readFileSync, renameSync, rmSync
} from 'node:fs'
import { crc32 } from 'node:zlib'
import { promisify } from 'node:util'
import { BitWorkerError } from '../base/errors.ts'
import { openRegular } from '../system/file-io.ts'
import { errnoOf, ioError } from '../system/io-errors.ts'
import { writeAllSync } from '../system/write-all.ts'

/** The piece `index` is stored. */
export const PIECE_STORED = 1
/**
 * The file `index` is finished. Size and digest are those of the whole file; a concatenation is identified by its parts
 * and has NO_DIGEST.
 */
export const FILE_FINISHED = 2
/** The piece `index` is no longer stored; size and digest are unused. */
export const PIECE_DROPPED = 3

/**
 * The stored piece `index` begins at byte `size` of its file's draft; it has no part. Follows PIECE_STORED immediately.
 */
export const PIECE_PLACED = 4

/** A work item here gave this result of the piece, whether or not it is (still) stored. */
export const PIECE_COMPUTED = 5
/** The result of the piece `index` was found right by the verify command, or was computed here. */
export const PIECE_VERIFIED = 6

/** The digest in a record that needs none. */
export const NO_DIGEST: Uint8Array = new Uint8Array(32)

/** One record. The last one for an index and kind is valid; of PIECE_COMPUTED, the first. */
export interface JournalRecord {
  type:
    | typeof PIECE_STORED | typeof FILE_FINISHED | typeof PIECE_DROPPED | typeof PIECE_PLACED | typeof PIECE_COMPUTED
    | typeof PIECE_VERIFIED
  /** of the piece or file */
  index: number
  /** bytes */
  size: number
  /** SHA-256, 32 bytes */
  digest: Uint8Array
}

/** The task that a journal belongs to, and the limits for its records. */
export interface JournalBounds {
  /** 40 hex digits */
  infoHash: string
  /** the task digest, 32 bytes */
  digest: Uint8Array
  pieceCount: number
  pieceLength: number
  fileCount: number
}

/** The contents of a journal. */
export interface DecodedJournal {
  records: JournalRecord[]
  /** number of intact bytes; 0 if even the header is damaged */
  validBytes: number
  /** written for the same info-hash, but another command (legacy task files only) */
  isOtherTask: boolean
}

const MAGIC = Buffer.from('BWJ1')
const TASK_AT = MAGIC.length + 20
/** Length of the header in bytes. */
export const HEADER_BYTES = TASK_AT + 32
const CRC_AT = 45
/** Length of a record in bytes. */
export const RECORD_BYTES = CRC_AT + 4

/** Encodes the header of a task's journal. */
export function encodeHeader ({ infoHash, digest }: JournalBounds): Buffer {
  return Buffer.concat([MAGIC, Buffer.from(infoHash, 'hex'), digest])
}

/** Encodes one record. */
export function encodeRecord ({ type, index, size, digest }: JournalRecord): Buffer {
  const buf = Buffer.alloc(RECORD_BYTES)
  buf.writeUInt8(type, 0)
  buf.writeUInt32BE(index, 1)
  buf.writeBigUInt64BE(BigInt(size), 5)
  buf.set(digest, 13)
  buf.writeUInt32BE(crc32(buf.subarray(0, CRC_AT)), CRC_AT)
  return buf
}

/** Decodes the intact records. Accepts any bytes, never throws. */
export function decodeJournal (bytes: Uint8Array, bounds: JournalBounds): DecodedJournal {
  const buf = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = encodeHeader(bounds)
  const isHeader = buf.length >= HEADER_BYTES && buf.subarray(0, TASK_AT).equals(header.subarray(0, TASK_AT))
  const isOtherTask = isHeader && !buf.subarray(TASK_AT, HEADER_BYTES).equals(header.subarray(TASK_AT))
  if (!isHeader || isOtherTask) return { records: [], validBytes: 0, isOtherTask }
  return { ...readRecords(buf, bounds), isOtherTask }
}

function readRecords (buf: Buffer, bounds: JournalBounds): { records: JournalRecord[], validBytes: number } {
  const records: JournalRecord[] = []
  let validBytes = HEADER_BYTES
  for (let at = HEADER_BYTES; at + RECORD_BYTES <= buf.length; at += RECORD_BYTES) {
    const bytes = buf.subarray(at, at + RECORD_BYTES)
    // a damaged record in the middle costs one piece; one at the end is cut off
    if (crc32(bytes.subarray(0, CRC_AT)) !== bytes.readUInt32BE(CRC_AT)) continue
    validBytes = at + RECORD_BYTES
    const record = readRecord(bytes)
    // an intact record of a later version is skipped, not cut off
    if (isWithin(record, bounds)) records.push(record as JournalRecord)
  }
  return { records, validBytes }
}

function readRecord (buf: Buffer): Omit<JournalRecord, 'type'> & { type: number } {
  // a view: 100 000 small buffers would cost more than the journal's bytes
  const digest = new Uint8Array(buf.buffer, buf.byteOffset + 13, 32)
  return { type: buf.readUInt8(0), index: buf.readUInt32BE(1), size: Number(buf.readBigUInt64BE(5)), digest }
}

function isWithin (
  { type, index, size }: { type: number, index: number, size: number }, bounds: JournalBounds
): boolean {
  if (type === FILE_FINISHED) return index < bounds.fileCount && Number.isSafeInteger(size)
  if (type === PIECE_PLACED) return index < bounds.pieceCount && Number.isSafeInteger(size)
  const isOfPiece = type === PIECE_STORED || type === PIECE_DROPPED || type === PIECE_COMPUTED ||
    type === PIECE_VERIFIED
  return isOfPiece && index < bounds.pieceCount && size <= bounds.pieceLength
}

/**
 * The records of a journal that is only looked at; null if there is none. Throws BW_ERR_OUTPUT_FOLDER, also for what is
 * no regular file: the folder may be anybody's.
 */
export function readJournal (path: string, bounds: JournalBounds): JournalRecord[] | null {
  let fd = -1
  try {
    fd = openRegular(path)
    return decodeJournal(readFileSync(fd), bounds).records
  } catch (err) {
    if (errnoOf(err) === 'ENOENT') return null
    throw ioError(err, path)
  } finally {
    if (fd !== -1) closeSync(fd)
  }
}

const syncAsync = promisify(fsync)

interface Waiting { resolve: () => void, reject: (err: Error) => void }

/** A journal file, open for appending. */
export class Journal {
  readonly #path: string
  #fd: number
  #size: number
  #pending: Buffer[] = []
  #waiting: Waiting[] = []

  private constructor (path: string, fd: number, size: number) {
    this.#path = path
    this.#fd = fd
    this.#size = size
  }

  /**
   * Opens or creates the file, cuts off an incomplete record, and returns the others. Throws BW_ERR_OUTPUT_FOLDER (also
   * if it belongs to another command with the same info-hash) and BW_ERR_DISK_FULL.
   */
  static open (path: string, bounds: JournalBounds): { journal: Journal, records: JournalRecord[] } {
    let fd = -1
    try {
      fd = openAlone(path)
      const { records, validBytes, isOtherTask } = decodeJournal(readFileSync(fd), bounds)
      if (isOtherTask) throw otherTask(path)
      ftruncateSync(fd, validBytes)
      const header = validBytes === 0 ? encodeHeader(bounds) : Buffer.alloc(0)
      writeAllSync(fd, header, 0)
      return { journal: new Journal(path, fd, Math.max(validBytes, header.length)), records }
    } catch (err) {
      if (fd !== -1) closeSync(fd)
      throw ioError(err, path)
    }
  }

  /**
   * Appends a record. Resolves when it has been written. Records of one tick are written at once. Rejects with
   * BW_ERR_DISK_FULL …
   */
  async append (record: JournalRecord): Promise<void> {
    if (this.#fd === -1) {
      throw new BitWorkerError('BW_ERR_STORE_CLOSED', 'usage', 'The store is closed. Open it again to write to it.')
    }
    await new Promise<void>((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.#flush())
      this.#pending.push(encodeRecord(record))
      this.#waiting.push({ resolve, reject })
    })
  }

  /** Writes pending records, and syncs the file to disk. Rejects with BW_ERR_DISK_FULL … */
  async sync (): Promise<void> {
    this.#flush()
    if (this.#fd !== -1) await syncAsync(this.#fd)
  }

  /** Writes pending records, and closes the file. A second call does nothing. */
  close (): void {
    if (this.#fd === -1) return
    this.#flush()
    closeSync(this.#fd)
    this.#fd = -1
  }

  #flush (): void {
    if (this.#pending.length === 0) return
    const bytes = Buffer.concat(this.#pending)
    const waiting = this.#waiting
    this.#pending = []
    this.#waiting = []
    try {
      writeAllSync(this.#fd, bytes, this.#size)
      this.#size += bytes.length
      for (const { resolve } of waiting) resolve()
    } catch (err) {
      this.#cutOff()
      for (const { reject } of waiting) reject(ioError(err, this.#path))
    }
  }

  /** Removes a partly written batch, so that the next one does not follow it. */
  #cutOff (): void {
    try { ftruncateSync(this.#fd, this.#size) } catch {} // if that fails, the next write overwrites it
  }
}

/**
 * Opens or creates a file that has no other name: writing to it must not change another file (a hard link in a copy,
 * for example).
 */
export function openAlone (path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_EXCL } = constants
  const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  const stats = fstatSync(fd)
  if (stats.isFile() && stats.nlink === 1) return fd
  try {
    if (!stats.isFile()) throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL' })
    const draft = `${path}.copy`
    rmSync(draft, { force: true })
    const copy = openSync(draft, O_RDWR | O_CREAT | O_NOFOLLOW | O_EXCL, 0o600)
    try {
      writeAllSync(copy, readFileSync(fd), 0)
      renameSync(draft, path)
      return copy
    } catch (err) {
      closeSync(copy)
      rmSync(draft, { force: true })
      throw err
    }
  } finally {
    closeSync(fd)
  }
}

/** Makes the error for a file of another command with the same info-hash. */
export function otherTask (path: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_OUTPUT_FOLDER', 'system',
    `${path} belongs to a task with the same info-hash but another command. Choose another output folder.`,
    { remedy: 'another-folder' })
}

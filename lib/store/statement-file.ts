/**
 * The attestations of a task on disk: append-only, with a checksum for every record. An incomplete record at its end is
 * cut off when it is opened.
 *
 *   header  "BWA2", info-hash (20 bytes), task digest (32 bytes)
 *   record  an attestation (ut_bitworker.md, `branches`; position 255: it was signed alone), CRC-32 of it; big-endian
 *
 * In memory there are 4 bytes for each piece, and a list for each piece with more than one record. Made by
 * verification-files.ts.
 */
import { closeSync, fstatSync, ftruncateSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { BitWorkerError } from '../base/errors.ts'
import { readAtSync } from '../system/file-io.ts'
import { ioError } from '../system/io-errors.ts'
import { writeAllSync } from '../system/write-all.ts'
import { openAlone, otherTask } from './journal.ts'
import type { StatementLog } from './types.ts'

const MAGIC = Buffer.from('BWA2')
const HEADER_BYTES = MAGIC.length + 20 + 32
const CRC_BYTES = 4
/** Records that are read at a time when the file is opened. */
const CHUNK_RECORDS = 4_096

/** The task that the file belongs to, and the form of its records. */
export interface StatementFileOptions {
  /** 40 hex digits */
  infoHash: string
  /** the task digest, 32 bytes */
  digest: Uint8Array
  pieceCount: number
  /** bytes of a record, which begins with the index of its piece (u32) */
  recordBytes: number
}

/** @see StatementLog */
export class StatementFile implements StatementLog {
  readonly #path: string
  readonly #recordBytes: number
  #fd: number
  /** number of records, damaged ones included */
  #size: number
  /** by piece: the number of its first record, from 1; 0: none */
  readonly #first: Uint32Array
  readonly #further = new Map<number, number[]>()

  private constructor (path: string, fd: number, size: number, { recordBytes, pieceCount }: StatementFileOptions) {
    this.#path = path
    this.#fd = fd
    this.#size = size
    this.#recordBytes = recordBytes
    this.#first = new Uint32Array(pieceCount)
    for (const { record, number } of this.#records()) this.#note(indexOf(record), number)
  }

  /**
   * Opens or creates the file. Throws BW_ERR_SYMLINK, BW_ERR_DISK_FULL, and BW_ERR_OUTPUT_FOLDER, also if it belongs
   * to another command with the same info-hash.
   */
  static open (path: string, opts: StatementFileOptions): StatementFile {
    let fd = -1
    try {
      fd = openAlone(path)
      const header = Buffer.concat([MAGIC, Buffer.from(opts.infoHash, 'hex'), opts.digest])
      const length = fstatSync(fd).size
      if (length < HEADER_BYTES) {
        ftruncateSync(fd, 0)
        writeAllSync(fd, header, 0)
        return new StatementFile(path, fd, 0, opts)
      }
      if (!readAtSync(fd, 0, HEADER_BYTES).equals(header)) throw otherTask(path)
      const size = Math.floor((length - HEADER_BYTES) / (opts.recordBytes + CRC_BYTES))
      ftruncateSync(fd, HEADER_BYTES + size * (opts.recordBytes + CRC_BYTES))
      return new StatementFile(path, fd, size, opts)
    } catch (err) {
      if (fd !== -1) closeSync(fd)
      throw ioError(err, path)
    }
  }

  add (...records: Uint8Array[]): void {
    if (this.#fd === -1) throw closed()
    const length = this.#recordBytes + CRC_BYTES
    const bytes = Buffer.alloc(records.length * length)
    records.forEach((record, i) => {
      bytes.set(record, i * length)
      bytes.writeUInt32BE(crc32(record), i * length + this.#recordBytes)
    })
    try {
      writeAllSync(this.#fd, bytes, this.#at(this.#size))
    } catch (err) {
      // what was written of them is overwritten by the next ones
      throw ioError(err, this.#path)
    }
    for (const record of records) this.#note(indexOf(record), this.#size++)
  }

  of (index: number): Uint8Array[] {
    const first = this.#first[index] ?? 0
    if (first === 0 || this.#fd === -1) return []
    return [first - 1, ...this.#further.get(index) ?? []].flatMap(number => this.#read(number) ?? [])
  }

  * all (): Generator<Uint8Array> { for (const { record } of this.#records()) yield record }

  /** A second call does nothing. */
  close (): void {
    if (this.#fd === -1) return
    closeSync(this.#fd)
    this.#fd = -1
  }

  * #records (): Generator<{ record: Uint8Array, number: number }> {
    const length = this.#recordBytes + CRC_BYTES
    for (let number = 0; number < this.#size && this.#fd !== -1; number += CHUNK_RECORDS) {
      const bytes = readAtSync(this.#fd, this.#at(number), Math.min(CHUNK_RECORDS, this.#size - number) * length)
      for (let at = 0; at + length <= bytes.length; at += length) {
        const record = this.#intact(bytes.subarray(at, at + length))
        if (record !== null) yield { record, number: number + at / length }
      }
    }
  }

  #read (number: number): Uint8Array | null {
    try {
      return this.#intact(readAtSync(this.#fd, this.#at(number), this.#recordBytes + CRC_BYTES))
    } catch {
      return null
    }
  }

  #intact (bytes: Buffer): Uint8Array | null {
    if (bytes.length < this.#recordBytes + CRC_BYTES) return null
    const record = new Uint8Array(bytes.subarray(0, this.#recordBytes))
    const isIntact = crc32(record) === bytes.readUInt32BE(this.#recordBytes)
    return isIntact && indexOf(record) < this.#first.length ? record : null
  }

  #note (index: number, number: number): void {
    if (this.#first[index] === 0) this.#first[index] = number + 1
    else if (this.#further.get(index)?.push(number) === undefined) this.#further.set(index, [number])
  }

  #at (number: number): number { return HEADER_BYTES + number * (this.#recordBytes + CRC_BYTES) }
}

function indexOf (record: Uint8Array): number {
  return new DataView(record.buffer, record.byteOffset).getUint32(0)
}

function closed (): BitWorkerError {
  return new BitWorkerError('BW_ERR_STORE_CLOSED', 'usage', 'The store is closed. Open it again to write to it.')
}

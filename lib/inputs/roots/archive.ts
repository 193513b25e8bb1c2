/**
 * Reads the archive of a root, which comes from strangers: tar, also compressed by gzip or zstd, as `docker export`,
 * `buildah`, `debootstrap` and GNU tar make it. Its format is read by tar-stream; what it may say is checked here,
 * entry by entry, before anything is done with it. Called by lib/inputs/roots/unpack.ts, and by whoever makes a task.
 */
import { Readable, pipeline } from 'node:stream'
import type { Duplex } from 'node:stream'
import zlib from 'node:zlib'
import { extract } from 'tar-stream'
import type { Extract, Header } from 'tar-stream'
import { BitWorkerError } from '../../base/errors.ts'
import { errnoOf } from '../../system/io-errors.ts'
import { quote } from '../../task/names.ts'
import { componentsOf, isCovered, RootFlaw } from './names.ts'
import { RootTree } from './tree.ts'

/** The limits of an archive. */
export interface RootLimits {
  /** bytes of all files, unpacked; a folder counts as `FOLDER_BYTES` */
  bytes: number
  /** number of files, folders and links */
  entries: number
  /** bytes of all names and link targets, and of the paths of all folders */
  nameBytes: number
  /** unpacked bytes per byte of the archive, beyond `slackBytes` */
  ratio: number
  slackBytes: number
}

const MAX_ROOT_BYTES = 2 ** 36
const MAX_ROOT_ENTRIES = 500_000
const MAX_ROOT_NAME_BYTES = 2 ** 26
const MAX_ROOT_RATIO = 100
const ROOT_SLACK_BYTES = 2 ** 28
/** More than any system has; the volunteer's limit bounds what is on disk. */
export const ROOT_LIMITS: RootLimits = {
  bytes: MAX_ROOT_BYTES,
  entries: MAX_ROOT_ENTRIES,
  nameBytes: MAX_ROOT_NAME_BYTES,
  ratio: MAX_ROOT_RATIO,
  slackBytes: ROOT_SLACK_BYTES
}

/** There is little more than a header between two entries; anything longer would be kept in memory. */
const MAX_BETWEEN_BYTES = 256 * 1024
const WRITE_BYTES = 64 * 1024
/** What a folder takes on most disks; a name of an archive can stand for many of them. */
const FOLDER_BYTES = 4096
/** The package copies global attributes (pax) to each entry that has its own; real archives have a dozen. */
const MAX_ATTRIBUTES = 1_000
const MAX_SECONDS = 2 ** 32 - 1

/** Receives the contents of a root, in the order of the archive. All paths consist of safe components. */
export interface RootSink {
  /** a new folder, after its parents */
  folder (path: string[]): Promise<void>
  /** a folder that the archive itself names, after everything in it at the latest */
  folderTime (path: string[], mtime: Date): void
  file (path: string[], about: { executable: boolean, mtime: Date }, data: AsyncIterable<Uint8Array>): Promise<void>
  /** another name of an earlier file */
  hardLink (path: string[], target: string[]): Promise<void>
  symlink (path: string[], target: string, mtime: Date): void
}

/** The contents of an archive. */
export interface RootSummary {
  entries: number
  /** on disk: those of all files and folders */
  bytes: number
}

/**
 * Hands the entries of an archive over, one after another. Rejects with BW_ERR_ROOT where it breaks a rule or a limit,
 * with BW_ERR_INPUT_LIMIT where it is larger than `bytes`, with errors of the file system and of the sink, and with the
 * signal's reason.
 */
export async function readRoot (
  archive: AsyncIterable<Uint8Array>, limits: RootLimits, sink: RootSink, signal?: AbortSignal
): Promise<RootSummary> {
  const count = { archive: 0, between: 0 }
  const tar: Extract = extract({})
  const pumping = pump(inflated(counted(archive, count)), tar, count)
  const reading = new RootReading(limits, sink, count)
  try {
    for await (const entry of tar) {
      count.between = 0
      signal?.throwIfAborted()
      await reading.entry(entry, signal)
      count.between = 0
    }
    return reading.end()
  } catch (err) {
    throw ownError(err, signal)
  } finally {
    tar.destroy(null)
    await pumping
  }
}

interface Count {
  /** bytes of the archive read so far */
  archive: number
  /** bytes unpacked since the last entry, except zeros */
  between: number
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never

class RootReading {
  readonly #limits: RootLimits
  readonly #sink: RootSink
  readonly #count: Count
  readonly #tree = new RootTree()
  #entries = 0
  #bytes = 0
  #nameBytes = 0

  constructor (limits: RootLimits, sink: RootSink, count: Count) {
    this.#limits = limits
    this.#sink = sink
    this.#count = count
  }

  async entry (entry: Entry, signal: AbortSignal | undefined): Promise<void> {
    const { header } = entry
    const { name, size } = header
    // null if the bytes are not a number
    if (!Number.isSafeInteger(size)) throw new RootFlaw(`has a file without a valid size: ${quote(name)}`)
    // tar-stream has null for unknown kinds, and for a missing link target
    const type = header.type as Header['type'] | null
    const target = (header.linkname as string | null) ?? ''
    const path = componentsOf(name)
    this.#add(name, target, size)
    const attributes = Object.keys(header.pax ?? {})
    if (attributes.length > MAX_ATTRIBUTES) throw new RootFlaw(`has more than ${MAX_ATTRIBUTES} attributes: ${quote(name)}`)
    if (attributes.some(key => key.startsWith('GNU.sparse.'))) {
      throw new RootFlaw(`has a sparse file, which is not supported: ${quote(name)}`)
    }
    const isFile = type === 'file' || type === 'contiguous-file'
    // the data of a folder would never end
    if (size > 0 && !isFile) throw new RootFlaw(`has an entry with data that is no file: ${quote(name)}`)
    if (isCovered(path)) return discard(this.#bounded(entry, signal))
    const mtime = timeOf(header)
    if (isFile) {
      await this.#folders(this.#tree.addFile(path))
      const executable = (header.mode & 0o111) !== 0
      return this.#sink.file(path, { executable, mtime }, this.#bounded(entry, signal))
    }
    entry.resume()
    if (type === 'directory') {
      await this.#folders(this.#tree.addFolder(path))
      return this.#sink.folderTime(path, mtime)
    }
    if (type === 'link') {
      const file = componentsOf(target)
      await this.#folders(this.#tree.addHardLink(path, file))
      return this.#sink.hardLink(path, file)
    }
    if (type !== 'symlink') {
      throw new RootFlaw(`has a ${(type ?? 'kind of entry that is not supported').replace('-', ' ')}: ${quote(name)}`)
    }
    await this.#folders(this.#tree.addSymlink(path, target))
    this.#sink.symlink(path, target, mtime)
  }

  end (): RootSummary {
    if (this.#entries === 0) throw new RootFlaw('is empty')
    return { entries: this.#entries, bytes: this.#bytes }
  }

  #add (name: string, linkname: string, size: number): void {
    const { entries, bytes } = this.#limits
    this.#entries++
    if (this.#entries > entries) throw new RootFlaw(`has more than ${entries} files`)
    this.#addName(Buffer.byteLength(name) + Buffer.byteLength(linkname))
    if (this.#bytes + size > bytes) throw tooLarge(bytes)
  }

  #addName (length: number): void {
    const { nameBytes } = this.#limits
    this.#nameBytes += length
    if (this.#nameBytes > nameBytes) throw new RootFlaw(`has names of more than ${nameBytes} bytes together`)
  }

  #addBytes (length: number): void {
    const { bytes, ratio, slackBytes } = this.#limits
    this.#bytes += length
    if (this.#bytes > bytes) throw tooLarge(bytes)
    if (this.#bytes > slackBytes + ratio * this.#count.archive) {
      throw new RootFlaw(`is more than ${ratio} times as large as its archive`)
    }
  }

  async #folders (paths: string[][]): Promise<void> {
    for (const path of paths) {
      // includes folders that the archive does not name itself
      if (++this.#entries > 2 * this.#limits.entries) throw new RootFlaw(`has more than ${this.#limits.entries} folders`)
      this.#addName(path.reduce((sum, name) => sum + Buffer.byteLength(name) + 1, 0))
      this.#addBytes(FOLDER_BYTES)
      await this.#sink.folder(path)
    }
  }

  async * #bounded (entry: Entry, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    for await (const chunk of entry as AsyncIterable<Uint8Array>) {
      signal?.throwIfAborted()
      this.#count.between = 0
      this.#addBytes(chunk.length)
      yield chunk
    }
  }
}

function tooLarge (bytes: number): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_INPUT_LIMIT',
    'usage',
    `The root of the task has more than ${bytes} bytes, unpacked, so nothing is computed here, only downloaded. Allow more bytes per input.`
  )
}

async function discard (data: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of data); // discards the data
}

function timeOf ({ mtime }: Header): Date {
  const seconds = Math.floor(mtime.getTime() / 1000)
  return new Date(1000 * (seconds >= 0 && seconds <= MAX_SECONDS ? seconds : 0))
}

//
// BYTES
//

async function * counted (archive: AsyncIterable<Uint8Array>, count: Count): AsyncGenerator<Uint8Array> {
  for await (const chunk of archive) {
    count.archive += chunk.length
    yield chunk
  }
}

/** The uncompressed bytes of the archive. */
async function * inflated (archive: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const first = await archive.next()
  if (first.done === true) throw new RootFlaw('is empty')
  const all = (async function * (): AsyncGenerator<Uint8Array> {
    yield first.value
    yield * archive
  })()
  const inflate = inflateFor(first.value)
  if (inflate !== null) pipeline(Readable.from(all), inflate, () => {}) // reported by the reader
  yield * inflate as AsyncIterable<Uint8Array> | null ?? all
}

function inflateFor (bytes: Uint8Array): Duplex | null {
  const begins = (...magic: number[]): boolean => magic.every((byte, i) => bytes[i] === byte)
  if (begins(0x1f, 0x8b)) return zlib.createGunzip()
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) {
    if (typeof zlib.createZstdDecompress === 'function') return zlib.createZstdDecompress()
    throw new RootFlaw('is compressed by zstd, which this version of Node cannot read (22.15 and later can)')
  }
  if (begins(0xfd, 0x37, 0x7a, 0x58)) throw new RootFlaw('is compressed by xz, which is not supported (gzip and zstd are)')
  if (begins(0x42, 0x5a, 0x68)) throw new RootFlaw('is compressed by bzip2, which is not supported (gzip and zstd are)')
  return null
}

/** Never rejects: the reader of the tar reports errors. */
async function pump (bytes: AsyncIterable<Uint8Array>, tar: Extract, count: Count): Promise<void> {
  try {
    for await (const all of bytes) {
      for (let at = 0; at < all.length; at += WRITE_BYTES) {
        const chunk = all.subarray(at, at + WRITE_BYTES)
        count.between += isZero(chunk) ? 0 : chunk.length
        if (count.between > MAX_BETWEEN_BYTES) throw new RootFlaw('has an entry whose header is too long')
        if (!tar.write(chunk)) await drained(tar)
        if (tar.destroyed) return
      }
    }
    tar.end(null)
  } catch (err) {
    tar.destroy(err as Error)
  }
}

/** Archives are padded with zeros. */
function isZero (chunk: Uint8Array): boolean {
  return chunk[0] === 0 && chunk.every(byte => byte === 0)
}

async function drained (tar: Extract): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      tar.off('drain', done)
      tar.off('close', done)
      resolve()
    }
    tar.on('drain', done)
    tar.on('close', done)
    if (tar.destroyed) done()
  })
}

/** An error of the packages is a flaw of the archive. */
function ownError (err: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason
  if (!(err instanceof Error) || err instanceof RootFlaw || errnoOf(err) !== '' || 'blame' in err) return err
  return new RootFlaw(`cannot be read: ${err.message.replace(/\.$/, '')}`, { cause: err })
}

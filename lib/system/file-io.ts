/** Reads, hashes and writes pieces. Only regular files are read, and never through a symbolic link. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { incrementalSha256, sha256 } from '../base/digest.ts'
import { errnoOf } from './io-errors.ts'
import { writeAll, writeAllSync } from './write-all.ts'

/**
 * Up to this size, a piece is read and written by one synchronous call, which is cheaper than three trips to the thread
 * pool.
 */
const SYNC_BYTES = 128 * 1024
const CHUNK_BYTES = 1024 * 1024

const readAsync = promisify(read)

/** Read errors that mean that the data is gone, as opposed to a busy machine or missing permissions. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'EIO', 'ENXIO', 'EISDIR'])

/** Whether the error means that the data is gone. */
export function isGone (err: unknown): boolean {
  return GONE.has(errnoOf(err))
}

/** Opens for reading. Throws ELOOP for a symbolic link, EINVAL for anything else that is not a regular file. */
export function openRegular (path: string): number {
  // O_NONBLOCK: a FIFO in place of a part would block for ever
  return regular(path, openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK))
}

/**
 * Opens for reading and writing, and creates the file if necessary. Throws like openRegular, and EMLINK if the file has
 * another name.
 */
export function openDraft (path: string, mode = 0o666): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  const fd = regular(path, openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode))
  if (fstatSync(fd).nlink <= 1) return fd
  closeSync(fd)
  throw Object.assign(new Error(`${path} has another name`), { code: 'EMLINK' })
}

function regular (path: string, fd: number): number {
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL' })
}

/** Reads up to `length` bytes from `position`; fewer only at the end of the file. */
export async function readAt (fd: number, position: number, length: number): Promise<Buffer> {
  if (length <= SYNC_BYTES) return readAtSync(fd, position, length)
  const buf = Buffer.allocUnsafe(length)
  let at = 0
  while (at < length) {
    const { bytesRead } = await readAsync(fd, buf, at, length - at, position + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return buf.subarray(0, at)
}

/** The same in one call that blocks, for small regions and start-up. Throws errors of the file system. */
export function readAtSync (fd: number, position: number, length: number): Buffer {
  const buf = Buffer.allocUnsafe(length)
  let at = 0
  while (at < length) {
    const n = readSync(fd, buf, at, length - at, position + at)
    if (n === 0) break
    at += n
  }
  return buf.subarray(0, at)
}

/** Writes all bytes from `position` on. Rejects with errors of the file system. */
export async function writeAt (fd: number, position: number, bytes: Uint8Array): Promise<void> {
  if (bytes.length <= SYNC_BYTES) writeAllSync(fd, bytes, position)
  else await writeAll(fd, bytes, position)
}

/** Sets a file's length. Has no effect on anything but a regular file. Never throws. */
export function truncateDraft (path: string, length: number): void {
  try {
    const fd = openDraft(path)
    ftruncateSync(fd, length)
    closeSync(fd)
  } catch {}
}

/** Yields the bytes of a region in chunks of at most 1 MiB; ends early if the file does. */
async function * chunksOf (fd: number, position: number, size: number): AsyncGenerator<Buffer, void, undefined> {
  if (size <= SYNC_BYTES) {
    if (size > 0) yield readAtSync(fd, position, size)
    return
  }
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    const chunk = await readAt(fd, position + at, Math.min(CHUNK_BYTES, size - at))
    if (chunk.length > 0) yield chunk
    if (chunk.length < Math.min(CHUNK_BYTES, size - at)) return
  }
}

/** SHA-256 of a region; null if the file ends before the region. */
export async function hashRegion (fd: number, position: number, size: number): Promise<Uint8Array | null> {
  if (size <= SYNC_BYTES) {
    const bytes = readAtSync(fd, position, size)
    return bytes.length === size ? sha256(bytes) : null
  }
  const digest = incrementalSha256()
  let length = 0
  for await (const chunk of chunksOf(fd, position, size)) {
    digest.update(chunk)
    length += chunk.length
  }
  return length === size ? digest.digest() : null
}

/** Size and SHA-256 of a whole regular file, in one pass. */
export async function hashFile (path: string): Promise<{ size: number, digest: Uint8Array }> {
  const fd = openRegular(path)
  try {
    const { size } = fstatSync(fd)
    const digest = await hashRegion(fd, 0, size)
    if (digest === null) throw new Error(`${path} became shorter while it was read`)
    return { size, digest }
  } finally {
    closeSync(fd)
  }
}

/** Copies a region to the end of `out`, and returns its SHA-256; null if the source ends before the region. */
export async function copyRegion (from: { fd: number, position: number, size: number },
  out: (chunk: Buffer) => Promise<void>): Promise<Uint8Array | null> {
  const digest = incrementalSha256()
  let length = 0
  for await (const chunk of chunksOf(from.fd, from.position, from.size)) {
    digest.update(chunk)
    length += chunk.length
    await out(chunk)
  }
  return length === from.size ? digest.digest() : null
}

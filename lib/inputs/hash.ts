/**
 * From files on disk to an input torrent (BEP 3). The same files give the same info dictionary, so that two tasks with
 * one input have one swarm; create-torrent cannot promise that, and has no attributes (BEP 47). Reads and hashes in
 * turns of 1 MiB, so nothing else waits. Called by lib/inputs/make-task.ts.
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { encode } from '../base/bencode.ts'
import { PieceHashes, pieceLengthOf } from '../base/piece-hashes.ts'
import { readLayout } from './metainfo.ts'
import { readError, sourceError } from './tree.ts'
import type { SourceFile, SourceTree } from './tree.ts'

const READ_BYTES = 1024 * 1024

/** How to hash. */
export interface HashOptions {
  /** what the torrent is called */
  name: string
  /** BEP 27; default false */
  private?: boolean
  /** bytes that were read so far */
  onProgress?: (bytes: number) => void
  signal?: AbortSignal
}

/**
 * Reads all files and makes the info dictionary. Rejects with BW_ERR_INPUT_SOURCE for a file that changes meanwhile,
 * BW_ERR_INPUT for what no input torrent may have, errors of the file system, and the signal's reason.
 */
export async function hashTree (
  { files, length, isFolder }: SourceTree, { name, onProgress, signal, ...opts }: HashOptions
): Promise<Uint8Array> {
  const pieces = new PieceHashes(pieceLengthOf(length))
  for (const file of files) await hashFile(file, pieces, { onProgress, signal })
  const info = encode({
    name,
    'piece length': pieces.pieceLength,
    pieces: pieces.end(),
    private: opts.private === true ? 1 : undefined,
    ...(isFolder
      ? { files: files.map(file => ({ path: file.path, length: file.length, attr: attrOf(file) })) }
      : { length, attr: attrOf(files[0]!) })
  })
  readLayout(info, name)
  return info
}

function attrOf ({ executable }: SourceFile): string | undefined {
  return executable ? 'x' : undefined
}

type Watching = { [key in 'onProgress' | 'signal']: HashOptions[key] | undefined }

async function hashFile (file: SourceFile, pieces: PieceHashes, watching: Watching): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file.source, 'r')
    await hashBytes(handle, file, pieces, watching)
    const { size, mtimeMs } = await handle.stat()
    if (size !== file.length || mtimeMs !== file.mtimeMs) throw changed(file)
  } catch (error) {
    throw readError(error, file.source)
  } finally {
    await handle?.close()
  }
}

/** The next bytes are read while these are hashed. */
async function hashBytes (
  handle: FileHandle, file: SourceFile, pieces: PieceHashes, { onProgress, signal }: Watching
): Promise<void> {
  const buffers = [Buffer.allocUnsafe(READ_BYTES), Buffer.allocUnsafe(READ_BYTES)]
  const read = (at: number, turn: number): Promise<{ bytesRead: number }> =>
    handle.read(buffers[turn % 2]!, 0, Math.min(READ_BYTES, file.length - at), at)
  let next = read(0, 0)
  for (let at = 0, turn = 0; at < file.length; turn++) {
    const { bytesRead } = await next
    if (bytesRead === 0) throw changed(file)
    signal?.throwIfAborted()
    next = read(at + bytesRead, turn + 1)
    pieces.add(buffers[turn % 2]!.subarray(0, bytesRead))
    at += bytesRead
    onProgress?.(bytesRead)
  }
  await next
}

/** BW_ERR_INPUT_SOURCE for a file that is not what it was. */
export function changed ({ source }: SourceFile): Error {
  return sourceError(source, 'was changed while it was read; wait until nothing writes to it')
}

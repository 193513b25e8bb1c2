/**
 * Makes an input torrent (BEP 3) of files on disk. The same files give the same info dictionary, so that two tasks with
 * the same input share a swarm. create-torrent does not guarantee that, and has no attributes (BEP 47). Reads and
 * hashes in steps of 1 MiB, so that nothing else has to wait. Called by lib/inputs/make-task.ts.
 */
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { encode } from '../base/bencode.ts'
import type { Encodable } from '../base/bencode.ts'
import { compareBytes } from '../base/digest.ts'
import { PieceHashes, pieceLengthOf } from '../base/piece-hashes.ts'
import { readLayout } from './metainfo.ts'
import { readError, sourceError } from './tree.ts'
import type { SourceFile, SourceTree } from './tree.ts'

const READ_BYTES = 1024 * 1024

/** Options of `hashTree`. */
export interface HashOptions {
  /** the name of the torrent */
  name: string
  /** BEP 27; default false */
  private?: boolean
  /** called with the number of bytes read so far */
  onProgress?: (bytes: number) => void
  signal?: AbortSignal
}

/**
 * Reads all files, and makes the info dictionary. Rejects with BW_ERR_INPUT_SOURCE if a file changes in the meantime,
 * BW_ERR_INPUT for an invalid input torrent, errors of the file system, and the signal's reason.
 */
export async function hashTree (
  { files, links, length, isFolder }: SourceTree, { name, onProgress, signal, ...opts }: HashOptions
): Promise<Uint8Array> {
  const pieces = new PieceHashes(pieceLengthOf(length))
  for (const file of files) await hashFile(file, pieces, { onProgress, signal })
  const info = encode({
    name,
    'piece length': pieces.pieceLength,
    pieces: pieces.end(),
    private: opts.private === true ? 1 : undefined,
    ...(isFolder
      ? { files: entriesOf({ files, links }) }
      : { length, attr: attrOf(files[0]!) })
  })
  readLayout(info, name)
  return info
}

/** In the order of their paths. A link has no bytes. */
function entriesOf ({ files, links }: Pick<SourceTree, 'files' | 'links'>): Encodable {
  const entries = [
    ...files.map(file => ({ path: file.path, length: file.length, attr: attrOf(file) })),
    ...links.map(({ path, target }) => ({
      path: path.split('/'), length: 0, attr: 'l', 'symlink path': target.split('/')
    }))
  ]
  return entries.toSorted((a, b) => compareBytes(Buffer.from(a.path.join('/')), Buffer.from(b.path.join('/'))))
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
    const { size, mtimeMs, ctimeMs } = await handle.stat()
    if (size !== file.length || mtimeMs !== file.mtimeMs || ctimeMs !== file.ctimeMs) throw changed(file)
  } catch (error) {
    throw readError(error, file.source)
  } finally {
    await handle?.close()
  }
}

/** Reads the next bytes while the previous ones are hashed. */
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

/** Makes BW_ERR_INPUT_SOURCE for a file that has changed. */
export function changed ({ source }: SourceFile): Error {
  return sourceError(source, 'was changed while it was read; wait until nothing writes to it')
}

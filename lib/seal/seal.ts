/**
 * Seals a finished task: makes an ordinary torrent (BEP 3) of its files, with their actual lengths, for any BitTorrent
 * client. The info dictionary depends only on the files, so the same files give the same info-hash. create-torrent is
 * not used: it would turn a folder with one file into a single file, and each byte must be compared with the digest of
 * its result in the same pass. Called by webtorrent/sealing.ts and `bitworker seal`.
 */
import { encode } from '../base/bencode.ts'
import type { Encodable } from '../base/bencode.ts'
import { sha1Hex } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { PieceHashes, pieceLengthOf } from '../base/piece-hashes.ts'
import { finishedFiles, readFinished } from '../store/finished-files.ts'
import type { FileMark, FinishedContent } from '../store/finished-files.ts'
import type { Task } from '../task/task.ts'

/** A finished file, and its state when it was sealed. */
export interface SealedFile extends FinishedContent { mark: FileMark }

/** A sealed task. */
export interface Seal {
  /** of the ordinary torrent: 40 lower-case hex digits */
  infoHash: string
  /** the bytes of the torrent file */
  torrentFile: Uint8Array
  /** bytes */
  pieceLength: number
  /** in the order of the torrent */
  files: SealedFile[]
}

/** Options of `sealTask`. */
export interface SealOptions {
  /** trackers; default: the task's */
  announce?: readonly string[]
  /** called from time to time with the number of bytes read, and the total */
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

/**
 * Reads and seals the files of a task that is finished in `folder`. Rejects with BW_ERR_NOT_FINISHED,
 * BW_ERR_TASK_REQUIRES, BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK, BW_ERR_ABORTED.
 */
export async function sealTask (
  task: Task, folder: string, { announce = task.announce, onProgress = () => {}, signal }: SealOptions = {}
): Promise<Seal> {
  const contents = finishedFiles(task, folder)
  const total = contents.reduce((sum, { length }) => sum + length, 0)
  if (total === 0) throw empty(task)
  const pieceLength = pieceLengthOf(total)
  const hashes = new PieceHashes(pieceLength)
  const files: SealedFile[] = []
  for (const content of contents) {
    const mark = await readFinished(content, chunk => {
      hashes.add(chunk)
      onProgress(hashes.length, total)
    }, signal)
    files.push({ ...content, mark })
  }
  const info = infoOf(task, contents, { pieceLength, pieces: hashes.end() })
  return { infoHash: sha1Hex(encode(info)), torrentFile: encode(fileOf(info, announce)), pieceLength, files }
}

/** Contains only what follows from the files: a date, for example, would change the info-hash. */
function infoOf (
  task: Task, files: readonly FinishedContent[], { pieceLength, pieces }: { pieceLength: number, pieces: Uint8Array }
): Record<string, Encodable | undefined> {
  const [first] = files
  const isSingle = files.length === 1 && first!.name === task.name
  return {
    name: task.name,
    'piece length': pieceLength,
    pieces,
    ...(isSingle
      ? { length: first!.length }
      : { files: files.map(({ name, length }) => ({ path: name.split('/').slice(1), length })) }),
    private: task.private === true ? 1 : undefined
  }
}

/** BEP 3, BEP 12: one tier per tracker. */
function fileOf (
  info: Record<string, Encodable | undefined>, announce: readonly string[]
): Record<string, Encodable | undefined> {
  return {
    announce: announce[0],
    'announce-list': announce.length === 0 ? undefined : announce.map(url => [url]),
    info
  }
}

function empty ({ name }: Task): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NOT_FINISHED', 'usage', `${name} cannot be sealed: all its files are empty, so there is nothing to share.`
  )
}

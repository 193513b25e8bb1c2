/** Converts a task to the form that WebTorrent expects of a torrent; identifies metadata. Called by torrent.ts. */
import bencode from 'bencode'
import { BitWorkerError } from '../base/errors.ts'
import { refusePins, withPins } from '../task/pins.ts'
import type { LinkPins } from '../task/pins.ts'
import { isTask, parseTask } from '../task/task.ts'
import type { ParseTaskOptions, Task } from '../task/task.ts'
import type { ParsedTorrent } from './internals.ts'
import { readOrdinary } from './ordinary.ts'
import { bytesOf, loadTorrentId } from './torrent-id.ts'
import type { RemoteId } from './torrent-id.ts'

/** Returns what parse-torrent would make of a task. */
export function toParsedTorrent (task: Task): ParsedTorrent {
  const { infoHash, pieceLength, pieceCount, comment, createdBy, created } = task
  return {
    task,
    infoHash,
    infoHashBuffer: Buffer.from(infoHash, 'hex'),
    info: bencode.decode(task.info),
    infoBuffer: task.info,
    name: task.name,
    announce: [...task.announce],
    urlList: [],
    files: task.files.map(({ path, name, length, offset }) => ({ path, name, length, offset })),
    pieceLength,
    lastPieceLength: pieceLength,
    pieces: Array.from({ length: pieceCount }, () => null),
    ...(task.private !== undefined && { private: task.private }),
    ...(comment !== undefined && { comment }),
    ...(createdBy !== undefined && { createdBy }),
    ...(created !== undefined && { created })
  }
}

/**
 * Loads the task or ordinary torrent at a path or URL. Rejects like `loadTorrentId`, `parseTask` and `readOrdinary`.
 */
export async function loadTorrent (torrentId: RemoteId, options: ParseTaskOptions): Promise<ParsedTorrent> {
  const bytes = await loadTorrentId(torrentId)
  return isTask(bytes) ? toParsedTorrent(parseTask(bytes, options)) : await readOrdinary(bytes)
}

/** The part of a link that applies to the metadata that arrives for it. */
interface Link extends LinkPins { infoHash: string, announce: string[] }

/**
 * Converts metadata from any source to a task, with the link's trackers and pins; null if it is not a task. Throws
 * BW_ERR_TASK_INFO_HASH, the errors of `parseTask`, and those of `withPins`.
 */
export function fromMetadata (metadata: unknown, link: Link): ParsedTorrent | null {
  // an object that the application has parsed: it cannot be a task, because links are not their ids
  if (!ArrayBuffer.isView(metadata) || !isTask(bytesOf(metadata))) {
    refusePins(link)
    return null
  }
  const bytes = bytesOf(metadata)
  const task = parseTask(bytes)
  // BEP 9 metadata was re-encoded on its way here: if it was not canonical, it has another hash now
  if (task.infoHash !== link.infoHash)
    throw new BitWorkerError(
      'BW_ERR_TASK_INFO_HASH', 'input', 'The metadata does not match the info-hash. Get the task file itself.'
    )
  return toParsedTorrent({ ...withPins(task, link), announce: link.announce })
}

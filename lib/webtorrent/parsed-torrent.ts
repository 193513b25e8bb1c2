/** A task in the form that WebTorrent expects of a torrent; and what its metadata was. Called by torrent.ts. */
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

/** What parse-torrent would make of it. */
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
 * What is at the path or URL: a task or an ordinary torrent. Rejects as `loadTorrentId`, `parseTask` and `readOrdinary`
 * do.
 */
export async function loadTorrent (torrentId: RemoteId, options: ParseTaskOptions): Promise<ParsedTorrent> {
  const bytes = await loadTorrentId(torrentId)
  return isTask(bytes) ? toParsedTorrent(parseTask(bytes, options)) : await readOrdinary(bytes)
}

/** As much of a torrent that was added by its link as decides about the metadata that comes for it. */
interface Link extends LinkPins { infoHash: string, announce: string[] }

/**
 * The task that metadata is, wherever it came from, trackers and pins being the link's; null if it is none. Throws
 * BW_ERR_TASK_INFO_HASH, `parseTask`'s errors, and those of `withPins`.
 */
export function fromMetadata (metadata: unknown, link: Link): ParsedTorrent | null {
  // parsed by whoever added it: of tasks it has none, as links are not their ids
  if (!ArrayBuffer.isView(metadata) || !isTask(bytesOf(metadata))) {
    refusePins(link)
    return null
  }
  const bytes = bytesOf(metadata)
  const task = parseTask(bytes)
  // BEP 9 metadata was re-encoded on its way here: what is not canonical has another hash now
  if (task.infoHash !== link.infoHash)
    throw new BitWorkerError(
      'BW_ERR_TASK_INFO_HASH', 'input', 'The metadata does not match the info-hash. Get the task file itself.'
    )
  return toParsedTorrent({ ...withPins(task, link), announce: link.announce })
}

/** A task in the form that WebTorrent expects of a torrent. Called by torrent.ts. */
import bencode from 'bencode'
import type { Task } from './task.ts'
import type { ParsedTorrent } from './webtorrent-internals.ts'

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

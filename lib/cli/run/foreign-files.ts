/** Files in the way of an ordinary torrent. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'

/**
 * WebTorrent overwrites any file with the name of an ordinary torrent's file. A file that contains not a single piece
 * of the torrent is not ours. Throws BW_ERR_FILE_EXISTS.
 */
export function refuseForeignFiles (torrent: Torrent): void {
  for (const file of torrent.files) {
    const location = path.join(torrent.path, file.path)
    const size = statSync(location, { throwIfNoEntry: false })?.size ?? 0
    if (size === 0 || file.downloaded > 0) continue
    throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage',
      `${location} exists and does not belong to this torrent. Move it away.`)
  }
}

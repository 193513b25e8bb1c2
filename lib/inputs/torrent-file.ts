/** Torrent files (BEP 3) that a user names. Called by make-task.ts and stage-source.ts. */
import { decodeDict } from '../base/bencode.ts'
import { sourceError } from './tree.ts'

/** The longest metadata, and trackers around it. */
const MAX_TORRENT_BYTES = 12 * 1024 * 1024
const MAX_TORRENT_TOKENS = 1_200_000

/** The info dictionary of a torrent file of an input, unchecked. Throws BW_ERR_INPUT_SOURCE. */
export function infoOf (torrent: Uint8Array, name: string): Uint8Array {
  try {
    const limits = { maxBytes: MAX_TORRENT_BYTES, maxTokens: MAX_TORRENT_TOKENS, unsortedRootKeys: true }
    return new Uint8Array(decodeDict(torrent, limits).span('info'))
  } catch (error) {
    throw sourceError(name, `is not a torrent file: ${(error as Error).message.replace(/\.$/, '')}`, error)
  }
}

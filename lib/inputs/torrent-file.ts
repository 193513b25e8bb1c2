/** Torrent files (BEP 3) that a user names. Called by make-task.ts and stage-source.ts. */
import { decodeDict, textOf } from '../base/bencode.ts'
import type { Bdict } from '../base/bencode.ts'
import { readRemarks } from '../task/trackers.ts'
import { sourceError } from './tree.ts'

/** The longest metadata, and trackers around it. */
export const MAX_TORRENT_BYTES = 12 * 1024 * 1024
const MAX_TORRENT_TOKENS = 1_200_000

/** Some torrents name a hundred, most of them dead; each would be asked by every peer of the task. */
const MAX_TRACKERS_OF_INPUT = 16
const LIMITS = { maxBytes: MAX_TORRENT_BYTES, maxTokens: MAX_TORRENT_TOKENS, unsortedRootKeys: true }

/** The info dictionary of a torrent file of an input, unchecked. Throws BW_ERR_INPUT_SOURCE. */
export function infoOf (torrent: Uint8Array, name: string): Uint8Array {
  try {
    return new Uint8Array(decodeDict(torrent, LIMITS).span('info'))
  } catch (error) {
    throw sourceError(name, `is not a torrent file: ${(error as Error).message.replace(/\.$/, '')}`, error)
  }
}

/**
 * The first of its trackers: peers of the task find the input where everybody else does. None of a private torrent
 * (BEP 27), since their URLs often contain its owner's key, and none if the bytes cannot be read.
 */
export function publicTrackers (torrent: Uint8Array): string[] {
  const [root, info] = dictsOf(torrent)
  if (root === undefined || (info?.get('private') ?? 0) !== 0) return []
  return readRemarks(root, new Map()).announce.slice(0, MAX_TRACKERS_OF_INPUT)
}

/** Its own name; undefined: it has none that can be read. */
export function torrentName (torrent: Uint8Array): string | undefined {
  return textOf(dictsOf(torrent)[1]?.get('name'))
}

function dictsOf (torrent: Uint8Array): [root?: Bdict, info?: Bdict] {
  try {
    const { dict } = decodeDict(torrent, LIMITS)
    const info = dict.get('info')
    return info instanceof Map ? [dict, info] : []
  } catch {
    return []
  }
}

/**
 * The entries of the root dictionary beside the info dictionary: trackers and remarks, which do not affect the output.
 * Invalid ones are dropped, not rejected: an old file with a dead tracker is still a task. Pure. Called by
 * lib/task/task.ts.
 */
import { textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import type { Task } from './types.ts'

/** A limit, so that a task file cannot direct its volunteers at thousands of hosts. */
export const MAX_TRACKERS = 128
export const MAX_URL_LENGTH = 2048
/** Length of a comment or an author, in UTF-16 units. */
export const MAX_REMARK_LENGTH = 16 * 1024
/** The largest time of a Date, in seconds. */
const MAX_DATE_S = 8.64e12
const PROTOCOLS = new Set(['http:', 'https:', 'udp:', 'ws:', 'wss:'])

/** The result of `readRemarks`. */
export type Remarks = Pick<Task, 'announce' | 'comment' | 'createdBy' | 'created'>

/** Reads trackers, comment (also of the info dictionary), author and date; never throws. BEP 3, BEP 12. */
export function readRemarks (root: Bdict, info: Bdict): Remarks {
  // the one that travels with a link, and that is signed, if there is one
  const comment = readRemark(info, 'comment') ?? readRemark(root, 'comment')
  const createdBy = readRemark(root, 'created by')
  const seconds = root.get('creation date')
  return {
    announce: readTrackers(root),
    ...(comment !== undefined && { comment }),
    ...(createdBy !== undefined && { createdBy }),
    ...(typeof seconds === 'number' && seconds >= 0 && seconds <= MAX_DATE_S && { created: new Date(seconds * 1000) })
  }
}

/** Undefined: there is none, or nobody would read it. */
export function readRemark (root: Bdict, key: string): string | undefined {
  const text = textOf(root.get(key))
  return text !== undefined && text.length <= MAX_REMARK_LENGTH ? text : undefined
}

/**
 * Why this is not the URL of any kind of tracker; undefined if it is. The only such check: for files, links, options
 * and flags.
 */
export function trackerProblem (url: unknown): string | undefined {
  if (typeof url !== 'string') return 'it is not text'
  if (url.length > MAX_URL_LENGTH) return `it is longer than ${MAX_URL_LENGTH} characters`
  // The URL parser silently drops line breaks and spaces, which must not reach a log or a request.
  if (/[\s\p{C}]/u.test(url)) return 'it contains spaces or control characters'
  if (!URL.canParse(url)) return 'it is not a URL with a port from 1 to 65535'
  const { hostname, port } = new URL(url)
  if (hostname === '') return 'it names no host'
  return Number(port || 1) === 0 ? 'its port is 0' : undefined
}

/** Whether this is the URL of a kind of tracker that BitWorker supports. */
export function isTrackerUrl (url: unknown): url is string {
  return trackerProblem(url) === undefined && PROTOCOLS.has(new URL(url as string).protocol)
}

/** BEP 12: `announce` is ignored if there is an `announce-list`. Tiers are flattened, as in WebTorrent. */
function readTrackers (root: Bdict): string[] {
  const tiers = root.get('announce-list')
  const listed = Array.isArray(tiers) ? usable(tiers.flatMap(tier => Array.isArray(tier) ? tier : [tier])) : []
  return listed.length > 0 ? listed : usable([root.get('announce')])
}

function usable (values: ReadonlyArray<Bvalue | undefined>): string[] {
  return usableTrackers(values.map(value => textOf(value) ?? ''))
}

/** The URLs that a task file may contain, without duplicates. */
export function usableTrackers (urls: Iterable<string>): string[] {
  const usableUrls = new Set<string>()
  for (const url of urls) {
    if (usableUrls.size === MAX_TRACKERS) break
    if (isTrackerUrl(url)) usableUrls.add(url)
  }
  return [...usableUrls]
}

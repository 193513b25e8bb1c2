/**
 * Checks a magnet link before it is parsed: `magnet-uri` builds an array of all file numbers that `so` selects (BEP
 * 53), however many there are. Pure. Called by client.ts and torrent.ts.
 */
import { BitWorkerError } from '../base/errors.ts'

/** Room for 128 trackers with long addresses, and more. */
const MAX_MAGNET_LENGTH = 64 * 1024
/** The largest number of files in a task. */
const MAX_SELECTED_FILES = 10_000

/** What is wrong with the link (BW_ERR_MAGNET); undefined if nothing is, or if it is not a magnet link. */
export function magnetProblem (id: unknown): BitWorkerError | undefined {
  if (typeof id !== 'string' || !/^(?:stream-)?magnet:/.test(id)) return undefined
  if (id.length > MAX_MAGNET_LENGTH) return problem(`has ${id.length} characters, more than ${MAX_MAGNET_LENGTH}`)
  let selected = 0
  for (const [, value = ''] of id.matchAll(/[?&]so=([^&]*)/g)) selected += countFiles(value)
  // written so that it also rejects NaN
  if (!(selected <= MAX_SELECTED_FILES)) return problem(`selects more than ${MAX_SELECTED_FILES} files`)
  return undefined
}

function countFiles (value: string): number {
  let ranges: string
  try {
    ranges = decodeURIComponent(value)
  } catch {
    return Number.NaN
  }
  let count = 0
  for (const range of ranges.split(',')) {
    if (!/^\d{1,9}(?:-\d{1,9})?$/.test(range)) return Number.NaN
    const [from = 0, to = from] = range.split('-').map(Number)
    count += Math.abs(to - from) + 1
  }
  return count
}

function problem (what: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_MAGNET', 'input', `The magnet link ${what}. Ask for a valid link, or for the task file.`
  )
}

/** One input of a task while it is supplied, and its progress. Used by supply.ts. */
import { BitWorkerError } from '../base/errors.ts'
import type { InputEvent } from '../session/events.ts'
import type { Reach } from '../session/work-session.ts'
import { quote } from '../task/names.ts'
import type { TaskInput } from '../task/types.ts'
import { contentOf, isComplete } from './item-inputs.ts'
import type { HeldInput } from './item-inputs.ts'
import type { InputStage, InputTorrent } from './supply-types.ts'

/** An input, and what is told of it. */
export interface SuppliedInput extends HeldInput {
  torrent: InputTorrent | null
  stage: InputStage | null
  close: () => void
  /** why it will never be here */
  error: Error | null
  /** why it is not here for now */
  waits: Error | null
  /** bytes that were stored when that was last looked at, and since when there are no more (ms since 1970) */
  have: number
  since: number
  reported: string
}

/** Makes BW_ERR_INPUT_LIMIT for a piece that needs this many bytes of an input. */
export function tooMuch ({ name }: TaskInput, bytes: number): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_INPUT_LIMIT',
    'usage',
    `A piece needs ${bytes} bytes of the input ${quote(name)}, more than is allowed here, so it is not computed. Allow at least as many bytes per input.`
  )
}

/** How an input stands that commands see as a whole. What another task makes may always come. */
export function reachOf (entry: SuppliedInput): Reach {
  const { input, torrent, error, waits } = entry
  if (isComplete(entry)) return 'here'
  if (error === null && input.task !== undefined) return 'coming'
  if (error !== null || waits !== null || torrent === null) return 'absent'
  return isWithinReach(torrent) ? 'coming' : 'absent'
}

/** Connected peers have all that is missing. */
export function isWithinReach (torrent: InputTorrent): boolean {
  const { torrentLength, pieceLength } = torrent.layout
  for (let unit = 0; unit * pieceLength < torrentLength; unit++) {
    if (!torrent.has(unit) && !torrent.isOffered(unit)) return false
  }
  return true
}

/** Looks whether more of an input has come. */
export function noteProgress (entry: SuppliedInput, now: number): void {
  const have = contentOf(entry)?.have() ?? 0
  if (have === entry.have) return
  entry.have = have
  entry.since = now
}

/** The progress of an input. */
export function stateOf (entry: SuppliedInput): InputEvent {
  const { input: { name, length, data }, error, waits, since } = entry
  const content = contentOf(entry)
  if (error !== null) return { name, state: 'refused', length, have: 0, message: error.message }
  if (data !== undefined) return { name, state: 'ready', length, have: length }
  if (content?.missing() === 0) return { name, state: 'ready', length, have: length }
  return {
    name, state: 'fetching', length, have: content?.have() ?? 0, since, ...(waits !== null && { message: waits.message })
  }
}

/** Those for whom a task is at work: torrent.ts. */
import { BitWorkerError } from '../base/errors.ts'
import type { Wire } from '../base/wire.ts'
import type { FinishedFile } from '../store/types.ts'
import type { SessionEvents } from './events.ts'

/** What happens in a session, for torrent.ts to act on and to pass on as events. */
export interface SessionHost {
  readonly peerId: Uint8Array
  report<K extends keyof SessionEvents> (event: K, payload: SessionEvents[K]): void
  /** the piece is on disk; called before peers are told */
  stored (index: number): void
  /** a piece that was on disk is not any more */
  lost (index: number): void
  fileFinished (file: number, finished: FinishedFile | null): void
  /** what is computed next may be something else than before; called after every change */
  planned? (): void
  /** all pieces are stored and all files are finished, as far as they may be */
  done (): void
  /** the peer may not come back */
  ban (wire: Wire): void
  /** the store cannot go on (disk full, folder gone) */
  broken (err: Error): void
}

/** BW_ERR_DESTROYED: for those who read a file whose torrent ended, with this error or because it was removed. */
export function endOfReading (error: Error | null): BitWorkerError {
  const why = error === null ? 'was removed' : `failed (${error.message})`
  return new BitWorkerError('BW_ERR_DESTROYED', 'usage', `The torrent ${why} before the file was read to its end. Add it again.`, {
    cause: error
  })
}

/** The callbacks of a session's owner: torrent.ts. */
import { BitWorkerError } from '../base/errors.ts'
import type { Wire } from '../base/wire.ts'
import type { FinishedFile } from '../store/types.ts'
import type { SessionEvents } from './events.ts'

/** What happens in a session, for torrent.ts to act on and to emit as events. */
export interface SessionHost {
  report<K extends keyof SessionEvents> (event: K, payload: SessionEvents[K]): void
  /** the piece is on disk; called before peers are told */
  stored (index: number): void
  /** a piece that was on disk is gone */
  lost (index: number): void
  fileFinished (file: number, finished: FinishedFile | null): void
  /** all pieces are stored, and all files are finished as far as they may be */
  done (): void
  /**
   * Results of others wait, as the verify command that must judge them may not run any more ('stopped'); or it does
   * not work here, and is not used any more ('broken'). Returns whether `setPolicy` will be called. Default: false.
   */
  unjudged? (why: 'stopped' | 'broken'): boolean
  /** the peer may not come back */
  ban (wire: Wire): void
  /** something that the user should know of, and after which the session continues */
  warn (err: Error): void
  /** the session is closed: nothing is reported any more, and the store will be closed */
  ended (): void
  /** the store cannot continue (disk full, folder gone) */
  broken (err: Error): void
}

/** The same host; `note` sees each event before it does. */
export function noting (host: SessionHost, note: SessionHost['report']): SessionHost {
  return {
    report: (event, payload) => {
      note(event, payload)
      host.report(event, payload)
    },
    stored: index => { host.stored(index) },
    lost: index => { host.lost(index) },
    fileFinished: (file, finished) => { host.fileFinished(file, finished) },
    done: () => { host.done() },
    unjudged: why => host.unjudged?.(why) === true,
    ban: wire => { host.ban(wire) },
    warn: err => { host.warn(err) },
    ended: () => { host.ended() },
    broken: err => { host.broken(err) }
  }
}

/** BW_ERR_DESTROYED: for readers of a file whose torrent ended, with this error or because it was removed. */
export function endOfReading (error: Error | null): BitWorkerError {
  const why = error === null ? 'was removed' : `failed (${error.message})`
  return new BitWorkerError('BW_ERR_DESTROYED', 'usage', `The torrent ${why} before the file was read to its end. Add it again.`, {
    cause: error
  })
}

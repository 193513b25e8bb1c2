/** The task's torrent and its client, as the torrents of its inputs see them. */
import type { TaskTorrentOptions } from './options.ts'
import type { Torrent } from './public-types.ts'
import type { BlockBlame } from './block-blame.ts'
import type { InternalTorrent } from './internals.ts'
import type { Wire } from './types.ts'
import type { VerifyOptions } from './verify-types.ts'

/** The part of the task's torrent that is needed for its inputs. */
export interface ParentTorrent {
  readonly client: InputClient
  readonly infoHash: string
  emit (event: 'warning', err: Error): unknown
  emit (event: 'stage', torrent: Torrent): unknown
  emit (event: 'strike' | 'ban', misdeed: { peer: string, reason: string }): unknown
  readonly _taskWires: { ban (wire: Wire): void }
  readonly _options: VerifyOptions
  readonly announce: readonly string[]
  readonly private?: boolean
  readonly wires: readonly Wire[]
}

/** Who may be asked for peers: as for the task. */
export interface Discovering { announce: readonly string[], isPrivate: boolean }

/** The torrent of an input. */
export interface GuardedInput extends InternalTorrent {
  _blame: BlockBlame | null
  readonly _taskWires: { ban (wire: Wire): void }
}

/** Another torrent or task of the client. */
export interface OtherTorrent {
  readonly infoHash: string
  readonly destroyed: boolean
  /** null: not known yet */
  readonly metadata: unknown
  /** null: an ordinary torrent */
  readonly task: unknown
  once (event: 'metadata' | 'close', listener: () => void): unknown
  removeListener (event: 'metadata' | 'close', listener: () => void): unknown
}

/** The part of the client that is used. */
export interface InputClient {
  readonly torrents: readonly OtherTorrent[]
  add (id: string | Uint8Array, opts: TaskTorrentOptions): InternalTorrent
  readonly destroyed: boolean
}

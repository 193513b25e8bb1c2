/** The task's torrent and its client, as the torrents of its inputs see them. */
import type { InternalTorrent } from './internals.ts'
import type { TaskTorrentOptions } from './options.ts'
import type { Torrent } from './public-types.ts'

/** The part of the task's torrent that is needed for its inputs. */
export interface ParentTorrent {
  readonly client: InputClient
  readonly infoHash: string
  emit (event: 'warning', err: Error): unknown
  emit (event: 'stage', torrent: Torrent): unknown
  readonly announce: readonly string[]
  readonly private?: boolean
  readonly wires: ReadonlyArray<{ remoteAddress?: string | null, peerExtendedHandshake: Record<string, unknown> }>
}

/** Who may be asked for peers: as for the task. */
export interface Discovering { announce: readonly string[], isPrivate: boolean }

/** The part of the client that is used. */
export interface InputClient {
  add (id: string | Uint8Array, opts: TaskTorrentOptions): InternalTorrent
  readonly torrents: ReadonlyArray<{ readonly infoHash: string, readonly destroyed: boolean }>
  readonly destroyed: boolean
}

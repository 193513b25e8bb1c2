/** The task's torrent and its client, as the torrents of its inputs see them. */
import type { TorrentOptions } from './inherited-options.ts'
import type { InternalTorrent } from './internals.ts'

/** The part of the task's torrent that is needed for its inputs. */
export interface ParentTorrent {
  readonly client: InputClient
  emit (event: 'warning', err: Error): unknown
  readonly announce: readonly string[]
  readonly private?: boolean
  readonly wires: ReadonlyArray<{ remoteAddress?: string | null, peerExtendedHandshake: Record<string, unknown> }>
}

/** Who may be asked for peers: as for the task. */
export interface Discovering { announce: readonly string[], isPrivate: boolean }

/** The part of the client that is used. */
export interface InputClient {
  add (id: string | Uint8Array, opts: TorrentOptions): InternalTorrent
  readonly destroyed: boolean
}

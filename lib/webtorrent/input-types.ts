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

/** The part of the client that is needed. */
export interface InputClient {
  add (id: string | Uint8Array, opts: TorrentOptions): InternalTorrent
  readonly destroyed: boolean
}

/**
 * What applications see of clients, torrents and files: WebTorrent's members, and what tasks have besides. Interfaces,
 * so that the classes behind them can have WebTorrent's underscored members without showing them to everybody's editor.
 */
import type { Outstanding } from '../peers/hand-over.ts'
import type { InputEvent, TaskStats } from '../session/events.ts'
import type { CreateTaskOptions, Task } from '../task/task.ts'
import type { HandOverOptions } from './leave.ts'
import type { ComputeOptions, SealingOptions, TaskTorrentOptions } from './options.ts'
import type { WebTorrentOptions } from './inherited-options.ts'
import type { Torrent as WebTorrentTorrent, TorrentFile, TorrentId, WebTorrentClient } from './types.ts'

/** A torrent of a BitWorker client. */
export interface Torrent extends WebTorrentTorrent {
  /** the task, once its metadata is known; null for an ordinary torrent */
  readonly task: Task | null
  /** whether pieces are computed here */
  readonly computing: 'off' | 'on' | 'paused'
  /** How far the task is; all zero before 'metadata', and for ordinary torrents. */
  stats (): TaskStats
  /**
   * Computes missing pieces from now on. Starts once the sources of peers that are enabled have answered for the first
   * time (at most 5 s), so that nothing is computed that a peer already has.
   * Throws BW_ERR_DESTROYED, BW_ERR_NOT_A_TASK, BW_ERR_TASK_REQUIRES (before 'metadata' a 'warning' brings it),
   * BW_ERR_COMPUTE_OPTIONS, and for a missing `binds` path BW_ERR_BIND.
   */
  startComputing (options?: ComputeOptions): void
  /** how far the task's inputs are, in its order; empty where nothing is computed, or there are none */
  readonly inputs: InputEvent[]
  /** Suspends the running work items and starts no others. */
  pauseComputing (): void
  /** Resumes computing after `pauseComputing()`. */
  resumeComputing (): void
  /** Kills the running work items; resolves when they are gone. What others have is still downloaded. */
  stopComputing (): Promise<void>
  /**
   * Call it before you leave: resolves when no connected peer wants a piece that only this one has among those
   * connected to that peer, or after `timeoutMs` (default: 10 minutes), with what is still outstanding. Emits 'leaving'
   * whenever that changes. Resolves at once for an ordinary torrent.
   */
  handOver (options?: HandOverOptions): Promise<Outstanding>
  /**
   * Makes an ordinary torrent of the finished files, with their real lengths, and seeds it where they lie. Resolves
   * with that torrent, whose `torrentFile` and `magnetURI` every BitTorrent client takes. Who has the same files gets
   * the same info-hash. It ends with this one, or when a piece is lost. `onProgress` is told how many bytes were read,
   * and how many there are. Rejects with BW_ERR_NOT_FINISHED, BW_ERR_NOT_A_TASK, BW_ERR_TASK_REQUIRES,
   * BW_ERR_DESTROYED, BW_ERR_ABORTED, BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK.
   */
  seal (options?: SealingOptions): Promise<Torrent>
}

/**
 * A file of a task: `length` is an upper bound until it is finished, and reading waits for parts that are not there
 * yet.
 */
export interface TaskFileView extends TorrentFile {
  /** index of the file in the task */
  readonly index: number
  /** true when all parts are here and the file is finished: `length` is exact */
  readonly isFinished: boolean
}

/** Called with the torrent once it is ready. */
export type TorrentCallback = (torrent: Torrent) => void

/**
 * A drop-in replacement for a WebTorrent client, which in addition computes tasks.
 *
 *   const client = new BitWorker()
 *   const torrent = client.add('squares.bitworker', { path: 'out', compute: true })
 *   torrent.on('done', () => { … })
 */
export interface BitWorker extends WebTorrentClient<Torrent> {
  /**
   * Adds a torrent or a task: a path, URL, Blob, bytes, magnet link, info-hash or parsed object, a `Task` among them.
   * Adding alone never runs anything: see the option `compute` and `torrent.startComputing`.
   * Errors are emitted by the torrent, or by the client when the torrent has no listener for them.
   */
  add(
    torrentId: TorrentId | Task, opts?: TaskTorrentOptions | TorrentCallback | null, ontorrent?: TorrentCallback
  ): Torrent
  /** The torrent with this id, or null. Like WebTorrent's it loads nothing: paths and URLs are not looked up. */
  get(torrentId: TorrentId | Task | Torrent): Promise<Torrent | null>
  /**
   * Makes a task; hand it to `add`, or write `encodeTask(task)` into a file.
   * Throws BW_ERR_TASK_OPTIONS and what `parseTask` throws.
   */
  createTask(options: CreateTaskOptions): Task
}

/** The class. */
export interface BitWorkerConstructor {
  new (options?: WebTorrentOptions): BitWorker
  readonly VERSION: string
  readonly UTP_SUPPORT: boolean
  readonly WEBRTC_SUPPORT: boolean
}

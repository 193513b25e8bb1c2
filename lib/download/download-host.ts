/** The callbacks of the downloads' owner (downloader.ts). */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { PieceSink } from './assembly.ts'
import type { RequestDelayHost } from './request-delay.ts'

/** Predicts when holders deliver. */
export interface DeliveryWatch {
  /** the piece would arrive sooner from `holder` than from `other` */
  isSooner (holder: TaskPeer['holder'], other: TaskPeer['holder']): boolean
  /** a piece is being requested from the holder, or would be if it did not choke us */
  asked (holder: TaskPeer['holder']): void
  /** no request to it is pending, through no fault of its own */
  rests (holder: TaskPeer['holder']): void
  /** it sent bytes of a piece */
  received (holder: TaskPeer['holder'], bytes: number): void
}

/** The callbacks of the downloader's owner. */
export interface DownloaderHost {
  /** the piece is wanted, and neither stored nor being stored */
  needs (index: number): boolean
  /** a reader waits for the piece */
  isUrgent (index: number): boolean
  /** the connected peers, in no particular order */
  readonly peers: Iterable<TaskPeer>
  /** opens the destination of a piece's bytes */
  receive (index: number, size: number): DownloadSink
  /** the piece was written, its digest is right, and `peers` sent it; resolves when it is stored */
  downloaded (index: number, result: Result, sink: Pick<DownloadSink, 'commit'>, peers: Iterable<TaskPeer>): Promise<void>
  /** nothing can be written */
  broken (err: Error): void
  /** receives how holders deliver (scheduling/delivery-forecast.ts) */
  readonly deliveries: DeliveryWatch
  /**
   * `peer` alone is to blame: its data for the piece did not match, or it refused to send it; its announcement is void
   */
  distrust (peer: TaskPeer, index: number, reason: string): void
}

/** The callbacks of the downloads' owner. */
export interface DownloadHost extends DownloaderHost, RequestDelayHost {}

/** A piece that is being written. */
export interface DownloadSink extends PieceSink {
  commit (result: Result): Promise<Result>
}

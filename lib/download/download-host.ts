/** What downloads need from their surroundings (downloader.ts). */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { PieceSink } from './assembly.ts'
import type { RequestDelayHost } from './request-delay.ts'

/** Whoever reckons when holders deliver. */
export interface DeliveryWatch {
  /** the piece would come sooner from `holder` than from `other` */
  isSooner (holder: TaskPeer['holder'], other: TaskPeer['holder']): boolean
  /** something is asked of the holder, or would be if it did not choke us */
  asked (holder: TaskPeer['holder']): void
  /** nothing is asked of it any more, and it is not to blame for that */
  rests (holder: TaskPeer['holder']): void
  /** it sent bytes of a piece */
  received (holder: TaskPeer['holder'], bytes: number): void
}

/** What the downloader needs from its surroundings. */
export interface DownloaderHost {
  /** the piece is wanted and neither stored nor being stored */
  needs (index: number): boolean
  /** a reader waits for the piece */
  isUrgent (index: number): boolean
  /** connected peers, in no particular order */
  readonly peers: Iterable<TaskPeer>
  /** where the bytes of a piece go */
  receive (index: number, size: number): DownloadSink
  /** the piece was written, its digest is right, and these sent it; resolves when it is stored */
  downloaded (index: number, result: Result, sink: Pick<DownloadSink, 'commit'>, peers: Iterable<TaskPeer>): Promise<void>
  /** nothing can be written */
  broken (err: Error): void
  /** hears how holders deliver (scheduling/delivery-forecast.ts) */
  readonly deliveries: DeliveryWatch
  /** `peer` alone is to blame for data of this piece that does not match, or for refusing it: its result is void */
  distrust (peer: TaskPeer, index: number, reason: string): void
}

/** What downloads need from their surroundings. */
export interface DownloadHost extends DownloaderHost, RequestDelayHost {}

/** A piece being written. */
export interface DownloadSink extends PieceSink {
  commit (result: Result): Promise<Result>
}

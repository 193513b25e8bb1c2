/** What a page learns of one task: the answers and events of snapshot.ts, from a torrent and what its run knows. */
import { hexOf } from '../base/digest.ts'
import type { PieceDetails } from '../session/overview.ts'
import { readPieceLog } from '../store/log-reader.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { Torrent } from '../webtorrent/public-types.ts'
import type { TorrentFile } from '../webtorrent/types.ts'
import type { EventStream } from './event-stream.ts'
import { Happenings } from './happenings.ts'
import type { PageTask } from './page-server.ts'
import { PieceWatch } from './piece-watch.ts'
import { previewOf } from './preview.ts'
import { Rates } from './rates.ts'
import type {
  Action, ActionAnswer, AttemptView, FileLive, PeerView, PieceView, TaskLive, TaskSummary, TaskView
} from './snapshot.ts'

const LOOK_MS = 200
const TELL_MS = 1_000
const MAX_ATTEMPTS = 20
const MAX_PEERS = 500

/** What only the run of a task knows. */
export type RunState = Pick<TaskLive, 'finishing' | 'paused' | 'waiting' | 'state' | 'remark' | 'timeLeftMs'>

/** A task of the client. */
export interface RunTask {
  torrent: Torrent
  /** name of the task that reads its output; null: the user has started it */
  neededBy: string | null
  /** who has signed it, in words */
  signed: string | null
  state (): RunState
  /** of all tasks of the client */
  steer (what: 'pause' | 'resume' | 'finish' | 'stop'): void
}

/** Follows one task for as long as its client runs. */
export class TaskFeed implements PageTask {
  readonly #of: RunTask
  readonly #task: Task
  readonly #watch: PieceWatch
  readonly #rates: Rates
  readonly #happenings: Happenings
  readonly #streams = new Set<EventStream>()
  readonly #cancelRates: () => void
  /** while somebody looks */
  #timers: NodeJS.Timeout[] = []
  #toldMessage = 0

  /** @param task the one of the torrent, which is ready */
  constructor (of: RunTask, task: Task) {
    this.#of = of
    this.#task = task
    const { torrent } = of
    this.#watch = new PieceWatch(task.pieceCount, torrent.overview!)
    this.#rates = new Rates(torrent.stats().stored, Date.now())
    this.#happenings = new Happenings(torrent, index => { this.#watch.touch(index) })
    const timer = setInterval(() => { this.#takeRates() }, Rates.stepMs).unref()
    this.#cancelRates = () => { clearInterval(timer) }
  }

  get torrent (): Torrent { return this.#of.torrent }

  get task (): Task { return this.#task }

  //  ANSWERS

  summary (): TaskSummary {
    const { torrent, neededBy } = this.#of
    const { pieces, computing, done } = this.live()
    return { infoHash: torrent.infoHash, name: this.#task.name, neededBy, pieces, computing, done }
  }

  view (): TaskView {
    const { torrent, signed } = this.#of
    const { command, completeCommand = null, pieceLength, files } = this.#task
    const { comment = null, createdBy = null, created } = this.#task
    return {
      ...this.summary(),
      folder: torrent.path,
      command,
      completeCommand,
      comment,
      createdBy,
      createdAt: created === undefined ? null : Number(created),
      pieceLength,
      signed,
      verifying: torrent.verification?.policy ?? null,
      magnet: torrent.magnetURI,
      files: files.map(({ path, firstPiece, parts }, index) =>
        ({ index, path, first: firstPiece, pieces: parts, preview: previewOf(path) })),
      live: this.live()
    }
  }

  live (): TaskLive {
    const { torrent } = this.#of
    const { pieces, stored, missing, computed, downloaded, running, claimed, failed } = torrent.stats()
    return {
      ...this.#of.state(),
      pieces: { pieces, stored, missing, computed, downloaded, running, claimed, failed },
      computing: torrent.computing,
      done: torrent.done,
      peers: torrent.numPeers,
      slots: torrent.slots,
      downloadSpeed: Math.round(torrent.downloadSpeed),
      uploadSpeed: Math.round(torrent.uploadSpeed),
      downloaded: torrent.received,
      uploaded: torrent.uploaded,
      piecesPerMinute: this.#rates.piecesPerMinute,
      files: torrent.files.map((file, index): FileLive => ({
        stored: Math.round(file.progress * this.#task.files[index]!.parts),
        bytes: file.downloaded,
        isFinished: (file as { isFinished?: boolean }).isFinished === true
      }))
    }
  }

  states (): ReturnType<PieceWatch['all']> { return this.#watch.all() }

  copies (): Uint8Array { return this.#watch.copies() }

  file (index: number): TorrentFile | undefined { return this.torrent.files[index] }

  /** See PageTask. */
  act (action: Exclude<Action, { do: 'preview' }>): ActionAnswer | string {
    const { torrent } = this.#of
    if ('piece' in action) {
      if (action.piece >= this.#task.pieceCount) return 'There is no such piece.'
      if (action.do === 'retry') torrent.retry(action.piece)
      torrent.critical(action.piece, action.piece)
    } else if (action.do === 'slots') {
      if (torrent.slots === 0) return 'Nothing is computed here, so there are no slots.'
      torrent.slots = action.slots
    } else this.#of.steer(action.do)
    return { live: this.live() }
  }

  piece (index: number): PieceView | null {
    if (index >= this.#task.pieceCount) return null
    const { torrent } = this.#of
    const { status, size, digest, claims, attesters, ...details }: PieceDetails = torrent.overview!.detailsOf(index)
    const { file, part } = locate(this.#task, index)
    const now = Date.now()
    return {
      ...details,
      piece: index,
      state: status,
      file,
      part,
      size,
      sha256: digest === null ? null : hexOf(digest),
      running: this.#happenings.runs(index),
      claims: claims.map(({ peer, forMs, estimateMs }) =>
        ({ peer, since: Math.round(now - forMs), estimateMs: estimateMs || null, isRespected: true })),
      attesters: attesters.map(({ key, trustedKey }) => trustedKey ?? key),
      attempts: this.#attempts(index),
      // why nothing is computed here is known to the run, and shown elsewhere
      explanation: torrent.computing === 'on' ? torrent.explain(index).sentence : null
    }
  }

  #attempts (index: number): AttemptView[] {
    const found: AttemptView[] = []
    for (const entry of readPieceLog(this.torrent.path, this.torrent.infoHash, 'pieces')) {
      if (entry.piece !== index) continue
      found.unshift(entry)
      if (found.length > MAX_ATTEMPTS) found.pop()
    }
    return found
  }

  //  STREAMS

  /** Sends everything, then what changes. @returns ends it */
  begin (stream: EventStream): () => void {
    if (this.#streams.size === 0) this.#wake()
    this.#streams.add(stream)
    stream.send('task', this.view())
    stream.tell('work', this.#happenings.work())
    stream.tell('peers', this.#peers())
    stream.send('rates', this.#rates.view())
    stream.send('messages', this.#happenings.messages)
    return () => {
      if (this.#streams.delete(stream) && this.#streams.size === 0) this.#sleep()
    }
  }

  /** The client ends. */
  close (): void {
    this.#look()
    this.#tell()
    this.#cancelRates()
    this.#happenings.close()
    this.#sleep()
    for (const stream of this.#streams) {
      stream.send('end', { done: this.torrent.done })
      stream.end()
    }
    this.#streams.clear()
  }

  #wake (): void {
    this.#watch.begin()
    this.#toldMessage = this.#happenings.lastMessage
    this.#timers = [
      setInterval(() => { this.#look() }, LOOK_MS).unref(),
      setInterval(() => { this.#tell() }, TELL_MS).unref()
    ]
  }

  #sleep (): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = []
    this.#watch.end()
  }

  #look (): void {
    const change = this.#watch.look()
    if (change === null) return
    const { version, runs } = change
    for (const stream of this.#streams) {
      if (runs === null) stream.send('reload', { version })
      else stream.send('pieces', { version, runs })
    }
  }

  #tell (): void {
    const live = this.live()
    const work = this.#happenings.work()
    const peers = this.#peers()
    const messages = this.#happenings.messages.filter(({ id }) => id > this.#toldMessage)
    this.#toldMessage = this.#happenings.lastMessage
    for (const stream of this.#streams) {
      stream.tell('live', live)
      stream.tell('work', work)
      stream.tell('peers', peers)
      if (messages.length > 0) stream.send('messages', messages)
    }
  }

  #takeRates (): void {
    const { torrent } = this.#of
    const point = this.#rates.take(torrent.stats().stored, torrent.downloadSpeed, torrent.uploadSpeed, Date.now())
    for (const stream of this.#streams) stream.send('rates', this.#rates.view([point]))
  }

  #peers (): PeerView[] {
    const { torrent } = this.#of
    const known = new Map(torrent.overview!.peers().map(peer => [peer.peerId, peer]))
    return torrent.wires.slice(0, MAX_PEERS).map((wire): PeerView => {
      const peer = known.get(wire.peerId ?? '')
      const name = wire.remoteAddress === undefined ? wire.peerId ?? 'unknown' : `${wire.remoteAddress}:${wire.remotePort}`
      return {
        name,
        client: clientOf(wire.peerId),
        isTaskPeer: peer !== undefined,
        held: peer?.held ?? null,
        claims: peer?.claims ?? null,
        delivered: peer?.delivered ?? null,
        received: wire.downloaded,
        sent: wire.uploaded,
        downloadSpeed: Math.round(wire.downloadSpeed()),
        uploadSpeed: Math.round(wire.uploadSpeed()),
        strikes: this.#happenings.strikesOf(name)
      }
    })
  }
}

/** The program of a peer, from its id (BEP 20). */
function clientOf (peerId: string | null): string | null {
  const text = peerId === null ? '' : Buffer.from(peerId, 'hex').toString('latin1')
  return /^-([A-Za-z]{2}[\w]{4})-/.exec(text)?.[1] ?? null
}

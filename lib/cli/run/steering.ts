/**
 * Steers a run: pause, resume, and finish the running pieces, then stop. Asked for by keys, by the socket of the run,
 * or by limits of the machine; Ctrl-Z suspends what runs as well.
 */
import process from 'node:process'
import { Holds } from '../../control/holds.ts'
import type { LiveStatus, Request } from '../../control/protocol.ts'
import { ControlServer } from '../../control/server.ts'
import { keptFiles } from '../../store/finished-files.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { EXIT } from '../output/failure.ts'
import type { JsonOutput } from '../output/json-output.ts'
import { LiveScreen } from '../output/screen.ts'
import type { Screen } from '../output/screen.ts'
import type { MachineFlags } from '../flags/machine.ts'
import { Keys } from './keys.ts'
import { handedOver } from './leaving.ts'
import { watchMachine } from './machine.ts'
import { reached } from './open-torrent.ts'
import type { Session } from './open-torrent.ts'
import { snapshot } from './progress.ts'
import type { Stages } from './stages.ts'
import { onStop } from './stopping.ts'
import { waitsOf } from './waits.ts'
import type { WorkView } from './work-view.ts'

/** How often it is looked whether what runs has ended. */
const LOOK_MS = 100
/** The reason of a pause that the user asked for. */
const ASKED = { reason: 'on request', running: 'suspend' } as const

const KEYS = 'Keys: p pause, r resume, f finish the running pieces and stop, q stop at once.'

/** What is steered, and who is told. */
export interface SteeringParts {
  session: Session
  stages: Stages
  view: WorkView
  screen: Screen
  out: JsonOutput
  flags: MachineFlags
}

/** The steering of one run. */
export class Steering {
  /** resolves with the exit code when what ran has ended after `finish`; never without */
  readonly left: Promise<number>
  readonly holds = new Holds(() => { this.apply() })
  readonly #parts: SteeringParts
  readonly #begun = Date.now()
  readonly #ignoreStop: () => void
  readonly #leaveMachine: () => void
  #leave: (exitCode: Promise<number>) => void = () => {}
  #server: ControlServer | null = null
  #keys: Keys | null = null
  #timer: NodeJS.Timeout | undefined
  #said = ''
  #isStuck = false
  #isClosed = false

  constructor (parts: SteeringParts) {
    this.#parts = parts
    this.left = new Promise(resolve => { this.#leave = resolve })
    this.#ignoreStop = onStop({
      stopping: () => {
        this.holds.stopped = true
        this.#keys?.suspend()
        parts.screen.close()
      },
      continued: () => {
        this.holds.stopped = false
        this.#keys?.resume()
      }
    })
    this.#leaveMachine = watchMachine(parts.flags, this.holds)
    void this.#listen()
  }

  /** Work begins: listens to keys, where there are any. */
  begin (): void {
    const { screen } = this.#parts
    if (this.#isClosed || !process.stdin.isTTY || !(screen instanceof LiveScreen)) return
    this.#keys = new Keys({
      p: () => { this.#pause() },
      r: () => { this.#resume() },
      f: () => { this.#finish() },
      q: () => { process.emit('SIGINT') },
      '?': () => { screen.note(KEYS) }
    })
    if (this.#keys.areHeard) screen.note(KEYS)
  }

  /** Makes the torrents do what the holds say: after each change, and when a torrent has started to compute. */
  apply (): void {
    const { effect, reasons, finishing } = this.holds
    for (const torrent of this.#torrents) {
      if (torrent.computing === 'off') continue
      if (effect === null) torrent.resumeComputing()
      else torrent.pauseComputing({ running: effect })
    }
    this.#parts.view.held = finishing
      ? 'finishing the running pieces'
      : reasons.length === 0 ? null : `paused: ${reasons.join(', ')}`
    this.#tell()
  }

  /** Does what the socket or the page asks for. */
  request (what: Request): void {
    if (what === 'pause') this.#pause()
    if (what === 'resume') this.#resume()
    if (what === 'finish') this.#finish()
  }

  close (): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#ignoreStop()
    this.#leaveMachine()
    this.#keys?.close()
    this.#server?.close(this.status())
  }

  #pause (): void {
    if (this.holds.finishing) return
    this.holds.set('user', [ASKED])
  }

  #resume (): void {
    this.holds.finishing = false
    this.holds.set('user', [])
  }

  #finish (): void {
    if (this.holds.finishing) return
    this.holds.finishing = true
    this.holds.set('user', [])
    this.#leaveWhenSettled()
  }

  get #torrents (): Torrent[] { return [this.#parts.session.torrent, ...this.#parts.stages.torrents] }

  #leaveWhenSettled (): void {
    if (!this.holds.finishing || this.#isClosed) return
    if (this.#torrents.every(torrent => this.#isSettled(torrent)) && !this.#parts.view.isCompleting) {
      return this.#leave(this.#depart())
    }
    this.#timer = setTimeout(() => { this.#leaveWhenSettled() }, LOOK_MS)
  }

  /** Nothing runs, and no file is being made of the parts. */
  #isSettled (torrent: Torrent): boolean {
    const { running, missing } = torrent.stats()
    const isMain = torrent === this.#parts.session.torrent && torrent.task !== null
    return running === 0 && (!isMain || missing > 0 || torrent.done || this.#isStuck)
  }

  async #depart (): Promise<number> {
    const { session: { torrent }, screen } = this.#parts
    await Promise.all(this.#torrents.map(async each => { await each.stopComputing() }))
    await Promise.all(this.#torrents.map(async each => { await handedOver(each, screen) }))
    return torrent.done ? EXIT.done : EXIT.interrupted
  }

  /** Reports each change once. */
  #tell (): void {
    const { reasons, finishing, effect } = this.holds
    const said = JSON.stringify([reasons, finishing, effect])
    if (said === this.#said || (this.#said === '' && effect === null)) return
    this.#said = said
    const { out } = this.#parts
    if (finishing) out.emit('finishing')
    else if (reasons.length > 0) out.emit('paused', { reasons, running: effect })
    else if (effect === null) out.emit('resumed')
  }

  //  THE SOCKET

  async #listen (): Promise<void> {
    const { session: { torrent }, screen } = this.#parts
    torrent.on('stuck', ({ pieces }) => { if (pieces.length === 0) this.#isStuck = true })
    await reached(torrent, 'ready')
    if (torrent.task === null || this.#isClosed) return
    const { control, work } = keptFiles(torrent.path, torrent.infoHash)
    try {
      const server = await ControlServer.listen({ file: control, scratch: work }, {
        answer: request => this.#answer(request),
        read: file => torrent.files[file]?.[Symbol.asyncIterator]() ?? null
      })
      if (this.#isClosed) server.close(this.status())
      else this.#server = server
    } catch (err) {
      if (!this.#isClosed) screen.note(`Other commands cannot reach this run, because it has no socket: ${(err as Error).message}.`)
    }
  }

  #answer (request: Request): LiveStatus {
    this.request(request)
    return this.status()
  }

  /** How the run is getting on. */
  status (): LiveStatus {
    const { session, stages, view } = this.#parts
    const { torrent } = session
    const { state, remark, peers, downloadSpeed, uploadSpeed, timeLeftMs, done } = snapshot(session, view, stages)
    const { pieces, stored, missing, computed, downloaded, running, claimed, failed } = torrent.stats()
    const { computing } = torrent
    return {
      pid: process.pid,
      computing,
      finishing: this.holds.finishing,
      done,
      pieces: { pieces, stored, missing, computed, downloaded, running, claimed, failed },
      slots: torrent.slots,
      peers,
      downloadSpeed,
      uploadSpeed,
      timeLeftMs,
      paused: this.holds.reasons,
      waiting: waitsOf(torrent, stages, this.#begun).map(({ message }) => message),
      state,
      remark
    }
  }
}

/** What `cat` reads, and from where: the client that runs the task here, its finished files, or a run of its own. */
import { createReadStream } from 'node:fs'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { BitWorkerError } from '../../base/errors.ts'
import { readFrom } from '../../control/ask.ts'
import { watchOutput } from '../../executor/pipe-watch.ts'
import { finishedFiles, keptFiles, readFinished } from '../../store/finished-files.ts'
import type { FinishedContent } from '../../store/finished-files.ts'
import { isLocked } from '../../system/lock.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { EXIT } from '../output/failure.ts'
import { escapeText } from '../output/format.ts'
import { LiveScreen, QuietScreen, canShowLive } from '../output/screen.ts'
import type { Screen } from '../output/screen.ts'
import { ByteOutput } from './byte-output.ts'
import { aborted } from './interrupt.ts'
import { handedOver } from './leaving.ts'
import { infoHashOf } from './link.ts'
import { reached } from './open-torrent.ts'
import type { Source } from './source.ts'
import { keptTask } from './task-in-folder.ts'

/** A client that begins or ends holds the folder for a moment without its socket. */
const LOOK_MS = 200
const PATIENCE_MS = 10_000
/** Names of files in a message. */
const MAX_NAMES = 5
const NEVER = new Promise<never>(() => {})

/** One reading of a task. */
export class Reader {
  readonly screen: Screen = canShowLive() ? new LiveScreen() : new QuietScreen()
  readonly #name: string | undefined
  readonly #output = new ByteOutput(process.stdout)
  /** resolves with the exit code when nobody reads our output any more */
  readonly #left: Promise<number>
  readonly #unwatch: () => void

  /** @param name the file; default: all, one after the other */
  constructor (name: string | undefined) {
    this.#name = name
    const gone = new AbortController()
    this.#left = aborted(gone.signal).catch(() => EXIT.done)
    const leave = (): void => { gone.abort() }
    const onError = (error: NodeJS.ErrnoException): void => { if (error.code === 'EPIPE') leave() }
    process.stdout.on('error', onError)
    const unwatch = watchOutput(leave)
    this.#unwatch = () => {
      process.stdout.off('error', onError)
      unwatch()
    }
  }

  close (): void { this.#unwatch() }

  /** Only some files are read: the others are neither computed nor downloaded for it. */
  get readsPart (): boolean { return this.#name !== undefined }

  /**
   * Reads without a client of our own, where that is possible: from the client that has the task in this folder, or
   * the finished files. Resolves with the exit code; null if neither is there. Throws BW_ERR_USAGE, BW_ERR_CONTROL,
   * BW_ERR_PIECE_LOST.
   */
  async attach (
    { task, kind, id }: Source, { output }: { output: string }, { interrupted }: { interrupted: AbortSignal }
  ): Promise<number | null> {
    const infoHash = task?.infoHash ?? (kind === 'remote' ? infoHashOf(id as string) : undefined)
    if (infoHash === undefined) return null
    const { control, lock } = keptFiles(output, infoHash)
    const reading = async (): Promise<number | null> => {
      for (let since = Date.now(); ;) {
        const known = task ?? await keptTask(output, infoHash)
        const names = known?.files.map(file => file.path)
        if (known === null || names === undefined) return null
        const chosen = this.#choose(names)
        if (await this.#output.take(readFinishedFiles(() => finishedFiles(known, output), chosen))) return EXIT.done
        if (await this.#output.take(readByClient(control, chosen, () => { since = Date.now() }))) return EXIT.done
        if (!isLocked(lock) || Date.now() - since > PATIENCE_MS) return null
        await setTimeout(LOOK_MS)
      }
    }
    return Promise.race([reading(), this.#left, aborted(interrupted).catch(() => EXIT.interrupted)])
  }

  /**
   * Reads as a peer.
   * @param ended the exit code of the run, which may come before all is read
   */
  async read (torrent: Torrent, ended: Promise<number>, screen: Screen): Promise<number> {
    let isRead = false
    const reading = this.#readAll(torrent).then(() => { isRead = true })
    const left = reading.then(async () => {
      // the files are made, and others get what only we have
      if (!this.readsPart) return NEVER
      await handedOver(torrent, screen)
      return EXIT.done
    })
    const over = ended.then(async exitCode => {
      // some pieces cannot be had
      if (exitCode !== EXIT.workFailed || isRead) await reading
      return exitCode
    })
    return Promise.race([left, over, this.#left])
  }

  async #readAll (torrent: Torrent): Promise<void> {
    await reached(torrent, 'metadata')
    const chosen = this.#choose(torrent.files.map(file => file.path))
    if (this.readsPart) for (const index of chosen) torrent.files[index]!.select()
    await reached(torrent, 'ready')
    await this.#output.take((async function * () {
      for (const index of chosen) yield * torrent.files[index]!
    })())
  }

  /** The indices of the files to read. Throws BW_ERR_USAGE. */
  #choose (names: readonly string[]): number[] {
    const wanted = this.#name
    if (wanted === undefined) return [...names.keys()]
    const isWanted = (name: string): boolean => name === wanted || name.slice(name.indexOf('/') + 1) === wanted
    const index = names.findIndex(isWanted)
    if (index !== -1) return [index]
    const some = names.slice(0, MAX_NAMES).map(escapeText).join(', ')
    const more = names.length > MAX_NAMES ? `, … (${names.length} files)` : ''
    throw new BitWorkerError('BW_ERR_USAGE', 'usage', `The task has no file ${escapeText(wanted)}. It has ${some}${more}.`)
  }
}

/** Returns false if they are not finished. Each file is checked before its first byte is yielded. */
async function * readFinishedFiles (
  find: () => FinishedContent[], chosen: readonly number[]
): AsyncGenerator<Uint8Array, boolean> {
  let files: FinishedContent[]
  try {
    files = find()
    for (const index of chosen) await readFinished(files[index]!, () => {})
  } catch (err) {
    if (err instanceof BitWorkerError) return false
    throw err
  }
  for (const index of chosen) {
    const { path, length } = files[index]!
    yield * bytesOf(path, length)
  }
  return true
}

async function * bytesOf (path: string, length: number): AsyncGenerator<Uint8Array> {
  if (length > 0) yield * createReadStream(path, { end: length - 1 }) as AsyncIterable<Uint8Array>
}

/** What a client sends, file by file; returns false if there is no client, or it has ended. */
async function * readByClient (
  control: string, chosen: readonly number[], found: () => void
): AsyncGenerator<Uint8Array, boolean> {
  for (const index of chosen) {
    const sent = await readFrom(control, index)
    if (sent === null) return false
    found()
    if (!(yield * sent)) return false
  }
  return true
}

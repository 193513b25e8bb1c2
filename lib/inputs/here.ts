/**
 * The inputs of a task that are on this machine: in the task file, where their author has them, or complete in the
 * cache. Nothing is downloaded, so no torrents are needed. For `bitworker try` and `bitworker create`.
 */
import { equalBytes, sha1Hex } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { ioError } from '../system/io-errors.ts'
import type { Given, Inputs } from '../store/types.ts'
import { quote } from '../task/names.ts'
import type { Task } from '../task/task.ts'
import type { TorrentInput } from '../task/types.ts'
import { InputCache } from './cache.ts'
import type { FileStore } from './file-store.ts'
import { ItemInputs } from './item-inputs.ts'
import type { HeldInput } from './item-inputs.ts'
import { allPieces } from './kept-pieces.ts'
import { pieceHashes, readMetainfo } from './metainfo.ts'
import type { InputLayout } from './metainfo.ts'
import { changed } from './original.ts'
import { CachedPlace, OriginalPlace, foundBy } from './places.ts'
import type { InputPlace } from './places.ts'
import type { FileRange } from './slices.ts'
import type { InputTorrent } from './supply-types.ts'

type Reading = Pick<Task, 'inputs' | 'root' | 'pieceCount'>

/** `run` may have a larger cache: only `run` trims it. */
const OPTIONS = { maxBytes: Infinity }

/** Makes the BW_ERR_INPUT for inputs that are not here. */
export function notHere (names: readonly string[]): BitWorkerError {
  const what = names.length === 1 ? `The input ${quote(names[0]!)} is` : `The inputs ${names.map(quote).join(', ')} are`
  return new BitWorkerError(
    'BW_ERR_INPUT',
    'usage',
    `${what} not on this machine, and nothing is fetched for single pieces. Run the task, which fetches its inputs.`,
    { remedy: 'fetch' }
  )
}

/** Why the inputs of a task cannot be read here, as `openHere`; null if they can. Rejects with the signal's reason. */
export async function obstacleToReading (task: Reading, signal?: AbortSignal): Promise<BitWorkerError | null> {
  try {
    const inputs = await openHere(task, signal)
    await inputs.close()
    return null
  } catch (err) {
    if (err instanceof BitWorkerError) return err
    throw err
  }
}

/**
 * Opens the inputs of a task, apart from its root. Those that may have changed are hashed. Rejects with BW_ERR_INPUT if
 * one of them is not here, or not as the task says; with the signal's reason, BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL,
 * BW_ERR_SYMLINK.
 */
export async function openHere (task: Reading, signal?: AbortSignal): Promise<InputsHere> {
  const held: HeldInput[] = []
  const opened: InputHere[] = []
  const missing: string[] = []
  try {
    for (const input of task.inputs ?? []) {
      // commands see the root as `/`, see roots/root-supply.ts
      if (input.name === task.root) continue
      if (input.task !== undefined) throw outputOfTask(input.name)
      const torrent = input.infoHash === undefined ? undefined : await openInput(input, task.pieceCount, signal)
      if (torrent === null) missing.push(input.name)
      else if (torrent !== undefined) opened.push(torrent)
      held.push({ input, torrent: torrent ?? null, error: null })
    }
    if (missing.length > 0) throw notHere(missing)
    return new InputsHere(held, opened)
  } catch (err) {
    for (const each of opened) await each.close()
    throw err
  }
}

function outputOfTask (name: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_INPUT',
    'usage',
    `The input ${quote(name)} is the output of another task. Only a run of the whole task reads that, so single pieces cannot be computed.`
  )
}

/** The inputs of one task on this machine, until they are closed. */
export class InputsHere {
  readonly #held: readonly HeldInput[]
  readonly #opened: readonly InputHere[]

  constructor (held: readonly HeldInput[], opened: readonly InputHere[]) {
    this.#held = held
    this.#opened = opened
  }

  /** @param newPath returns an absolute path that nobody uses */
  forCommands (newPath: () => string): Inputs {
    const items = new ItemInputs(this.#held, { newPath })
    const given = async (get: () => Promise<Given>): Promise<Given> => {
      for (const each of this.#opened) await each.show()
      return await get()
    }
    return {
      forPiece: async piece => await given(async () => await items.forPiece(piece)),
      forFile: async () => await given(async () => await items.whole())
    }
  }

  async close (): Promise<void> {
    for (const each of this.#opened) await each.close()
  }
}

/** The author's files, or else those in the cache; null: neither is complete. */
async function openInput (
  input: TorrentInput, pieceCount: number, signal: AbortSignal | undefined
): Promise<InputHere | null> {
  let problem: BitWorkerError | null = null
  const found = await foundBy(OPTIONS, input.infoHash)
  if (found !== null) {
    const layout = readMetainfo(found.info, input, pieceCount)
    try {
      const original = await openPlace(input, new OriginalPlace(input, found, layout, OPTIONS), layout, signal)
      if (original !== null) return original
      problem = changed(input.name, found.path)
    } catch (err) {
      if (!(err instanceof BitWorkerError) || err.code !== 'BW_ERR_INPUT') throw err
      problem = err
    }
  }
  const cached = await openCached(input, pieceCount, signal)
  if (cached === null && problem !== null) throw new BitWorkerError('BW_ERR_INPUT', 'usage', problem.message)
  return cached
}

async function openCached (
  input: TorrentInput, pieceCount: number, signal: AbortSignal | undefined
): Promise<InputHere | null> {
  // nothing is made for what is not there
  if (!new InputCache().has(input.infoHash)) return null
  const place = new CachedPlace(input.infoHash, OPTIONS)
  // the disk may have lost some of it
  if (place.info !== null && sha1Hex(place.info) === input.infoHash) {
    return await openPlace(input, place, readMetainfo(place.info, input, pieceCount), signal)
  }
  await place.close()
  return null
}

/** Null if it is not complete. Closes the place unless it returns it. */
async function openPlace (
  { split }: TorrentInput, place: InputPlace, layout: InputLayout, signal: AbortSignal | undefined
): Promise<InputHere | null> {
  let here: InputHere | null = null
  try {
    const known = place.bitfield(layout)
    if (known !== null && !equalBytes(known, allPieces(layout))) return null
    here = new InputHere(place, layout, split === undefined)
    const isHere = (known !== null || await here.isAsHashed(signal)) && here.trust()
    if (isHere) return here
    await here.close()
    return null
  } catch (err) {
    await here?.close()
    throw err
  } finally {
    if (here === null) await place.close()
  }
}

/** A complete input, which nobody downloads. */
class InputHere implements InputTorrent {
  readonly layout: InputLayout
  readonly #place: InputPlace
  readonly #store: FileStore
  readonly #isForCommands: boolean
  #isComplete = false
  #version = 0

  constructor (place: InputPlace, layout: InputLayout, isForCommands: boolean) {
    this.layout = layout
    this.#place = place
    this.#isForCommands = isForCommands
    this.#store = place.open(place.info!, layout, () => this.#isComplete, () => { this.recheck() })
  }

  /** Reads all of it. Rejects with the signal's reason, and errors of the file system. */
  async isAsHashed (signal: AbortSignal | undefined): Promise<boolean> {
    const { pieceLength, torrentLength } = this.layout
    for (const [piece, hash] of pieceHashes(this.#place.info!).entries()) {
      signal?.throwIfAborted()
      const start = piece * pieceLength
      try {
        const bytes = await this.#store.read(start, Math.min(pieceLength, torrentLength - start))
        if (sha1Hex(bytes) !== hash) return false
      } catch (err) {
        if (err instanceof BitWorkerError && err.code === 'BW_ERR_INPUT') return false
        throw ioError(err, this.#place.path)
      }
    }
    return true
  }

  /** It is complete. False: it was changed while it was read. */
  trust (): boolean {
    this.#isComplete = true
    return this.#place.looked() && this.#version === 0
  }

  get root (): string | null { return this.#place.root }

  get version (): number { return this.#version }

  have (): number { return this.#isComplete ? this.layout.length : 0 }

  missing (): number { return this.#isComplete ? 0 : 1 }

  has (): boolean { return this.#isComplete }

  isElsewhere (): boolean { return false }

  isOffered (): boolean { return false }

  want (): void {}

  async read ({ file, start, end }: FileRange): Promise<Uint8Array> {
    return await this.#store.read(this.layout.files[file]!.offset + start, end - start)
  }

  async isIntact (file: number | 'all'): Promise<boolean> { return await this.#place.isIntact(file) }

  /** It is no longer used. */
  recheck (): void {
    this.#isComplete = false
    this.#version++
  }

  async show (): Promise<void> { if (this.#isForCommands) await this.#place.show() }

  async close (): Promise<void> {
    this.#place.stop(this.#isComplete)
    this.#store.close()
    await this.#place.close()
  }
}

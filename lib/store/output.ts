/**
 * What a task has left in an output folder, to be compared piece by piece: in the task's folder, or, where only the
 * files and NAME.results.json were kept or copied, by these.
 */
import { closeSync, existsSync, readFileSync, statSync } from 'node:fs'
import { BitWorkerError } from '../base/errors.ts'
import { PackedResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import { hashRegion, isGone, openRegular, readAt } from '../system/file-io.ts'
import { ioError } from '../system/io-errors.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { isConcatenation } from '../task/unsupported.ts'
import { ComputeStore } from './compute-store.ts'
import { StoreLayout } from './files/layout.ts'
import { madeFiles } from './finished-files.ts'
import type { MadeFile } from './finished-files.ts'
import { offsetsOf } from './restore.ts'
import { resultsFileOf } from './results-file.ts'

const SHA256 = /^[0-9a-f]{64}$/
/** Two million pieces. */
const MAX_RESULTS_BYTES = 256 * 1024 * 1024

/** The pieces of a task in an output folder. */
export interface Output {
  /** in the task's folder, the finished files, or a list of results without the bytes */
  readonly kind: 'folder' | 'files' | 'list'
  /** the results that should be there */
  readonly results: Iterable<[index: number, result: Result]> & { readonly size: number }
  /** The result that is there, by its bytes if there are any; null: damaged or gone. */
  read (index: number): Promise<Result | null>
  /** Bytes of a piece that `read` has found. Not of a list. */
  readBytes (index: number, offset: number, length: number): Promise<Uint8Array>
  /** The finished files that a complete command made, as they were recorded; none where they are not kept. */
  readonly made: readonly MadeFile[]
  /** Replaces a piece. Only in the task's folder. */
  replace (index: number, bytes: Uint8Array): Promise<void>
  /** Makes the files of replaced pieces again. Returns whether all are made. */
  finish (pieces: readonly number[]): Promise<boolean>
  close (): Promise<void>
}

/**
 * Opens what is there. Rejects with BW_ERR_NOT_FINISHED if that is nothing, BW_ERR_LOCKED while a run uses the task's
 * folder, BW_ERR_RESULTS_FILE, and the errors of `ComputeStore.open`.
 */
export async function openOutput (task: Task, folder: string): Promise<Output> {
  const layout = new StoreLayout(folder, task.infoHash)
  if (existsSync(layout.journal)) {
    const store = new ComputeStore({ task, path: folder })
    try {
      await store.open()
      return new FolderOutput(task, store, madeFiles(task, folder))
    } catch (err) {
      await closed(store)
      throw err
    }
  }
  const list = resultsFileOf(task, layout.folder)
  if (existsSync(list)) return new CopiedOutput(task, layout, readList(task, layout, list))
  throw new BitWorkerError(
    'BW_ERR_NOT_FINISHED',
    'usage',
    `${layout.folder} contains nothing of ${task.name}: neither its folder in .bitworker nor ${task.name}.results.json.`,
    { remedy: 'finish' }
  )
}

class FolderOutput implements Output {
  readonly kind = 'folder'
  readonly made: readonly MadeFile[]
  readonly #task: Task
  readonly #store: ComputeStore

  constructor (task: Task, store: ComputeStore, made: readonly MadeFile[]) {
    this.#task = task
    this.#store = store
    this.made = made
  }

  get results (): Output['results'] { return this.#store.results }

  async read (index: number): Promise<Result | null> {
    const result = this.#store.results.get(index)
    return result !== undefined && await this.#store.isIntact(index) ? result : null
  }

  async readBytes (index: number, offset: number, length: number): Promise<Uint8Array> {
    return this.#store.read(index, offset, length)
  }

  async replace (index: number, bytes: Uint8Array): Promise<void> {
    // a result that is stored already is not written again, unless its bytes are known to be damaged
    await this.#store.verify(index)
    await new Promise<void>((resolve, reject) => {
      this.#store.put(index, bytes, err => { if (err == null) resolve(); else reject(err) })
    })
  }

  async finish (pieces: readonly number[]): Promise<boolean> {
    const replaced = new Set(pieces)
    const files = new Set(pieces.map(index => locate(this.#task, index).file))
    let isWhole = this.#store.results.size === this.#task.pieceCount
    // a file that a complete command made stays as it was
    isWhole &&= this.#task.completeCommand === undefined
    for (const file of files) {
      if (isWhole) isWhole = await this.#store.finishFile(file, { run: false }) !== null
    }
    if (isWhole && await this.#store.hasResults()) {
      await this.#store.writeResults(index => ({ accepted: replaced.has(index) ? 'computed' : 'earlier' }))
    }
    return isWhole
  }

  async close (): Promise<void> { await closed(this.#store) }
}

class CopiedOutput implements Output {
  readonly kind: 'files' | 'list'
  readonly results: PackedResults
  readonly made: readonly MadeFile[]
  readonly #task: Task
  readonly #layout: StoreLayout
  readonly #offsets = new Map<number, Float64Array>()

  constructor (task: Task, layout: StoreLayout, { results, made }: Listed) {
    this.#task = task
    this.#layout = layout
    this.results = results
    this.made = made.filter(({ path }) => existsSync(path))
    this.kind = isConcatenation(task) && task.files.some(file => existsSync(layout.final(file))) ? 'files' : 'list'
  }

  async read (index: number): Promise<Result | null> {
    const { size, digest: recorded } = this.results.get(index)!
    if (this.kind === 'list') return { size, digest: recorded }
    const { at, position, isLast, end } = this.#where(index)
    try {
      return await using(at, async fd => {
        // what was appended belongs to no piece, so the last one answers for it
        if (isLast && statSync(at).size !== end) return null
        const digest = await hashRegion(fd, position, size)
        return digest === null ? null : { size, digest }
      })
    } catch (err) {
      if (isGone(err)) return null
      throw ioError(err, at)
    }
  }

  async readBytes (index: number, offset: number, length: number): Promise<Uint8Array> {
    const { at, position } = this.#where(index)
    return using(at, async fd => readAt(fd, position + offset, length)).catch((err: unknown) => {
      throw ioError(err, at)
    })
  }

  #where (index: number): { at: string, position: number, isLast: boolean, end: number } {
    const { file, part } = locate(this.#task, index)
    const offsets = this.#offsetsOf(file)
    return {
      at: this.#layout.final(this.#task.files[file]!),
      position: offsets[part]!,
      isLast: part === offsets.length - 2,
      end: offsets.at(-1)!
    }
  }

  #offsetsOf (file: number): Float64Array {
    const known = this.#offsets.get(file) ?? offsetsOf(this.#task, file, index => this.results.sizeOf(index))!
    this.#offsets.set(file, known)
    return known
  }

  async replace (): Promise<void> { throw copied(this.#layout.folder) }

  async finish (): Promise<boolean> { throw copied(this.#layout.folder) }

  async close (): Promise<void> {}
}

async function closed (store: ComputeStore): Promise<void> {
  await new Promise<void>(resolve => { store.close(() => { resolve() }) })
}

async function using<T> (path: string, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = openRegular(path)
  try {
    return await use(fd)
  } finally {
    closeSync(fd)
  }
}

function copied (folder: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NOT_FINISHED', 'usage', `${folder} has the files of the task, but not its folder in .bitworker, so its pieces cannot be replaced. Repair them where the task was run.`
  )
}

/** What NAME.results.json says. */
interface Listed { results: PackedResults, made: MadeFile[] }

function readList (task: Task, layout: StoreLayout, list: string): Listed {
  const refused = (why: string, cause?: unknown): BitWorkerError => new BitWorkerError(
    'BW_ERR_RESULTS_FILE', 'input', `${list} cannot be used: ${why}. Get it again, or check the output where the task was run.`, { cause }
  )
  if (statSync(list).size > MAX_RESULTS_BYTES) throw refused(`it has more than ${MAX_RESULTS_BYTES} bytes`)
  let said: unknown
  try {
    said = JSON.parse(readFileSync(list, 'utf8'))
  } catch (err) {
    throw refused('it is not JSON', err)
  }
  const { infoHash, pieces, files } = (said ?? {}) as { infoHash?: unknown, pieces?: unknown, files?: unknown }
  if (infoHash !== task.infoHash) throw refused('it belongs to another task')
  if (!Array.isArray(pieces) || pieces.length !== task.pieceCount) throw refused('it does not have every piece once')
  const results = new PackedResults(task.pieceCount)
  for (const [index, each] of pieces.entries() as Iterable<[number, Record<string, unknown> | null]>) {
    const { piece, size, sha256 } = each ?? {}
    const isRight = piece === index && Number.isInteger(size) && Number(size) >= 0 && Number(size) <= task.pieceLength
    if (!isRight || typeof sha256 !== 'string' || !SHA256.test(sha256)) throw refused(`its entry ${index} is not a result`)
    results.set(index, { size: Number(size), digest: Buffer.from(sha256, 'hex') })
  }
  return { results, made: isConcatenation(task) ? [] : madeOf(task, layout, files) }
}

/** What is said of files whose digests are known. */
function madeOf (task: Task, layout: StoreLayout, files: unknown): MadeFile[] {
  const said = (Array.isArray(files) ? files : []) as Array<Record<string, unknown> | null>
  return task.files.flatMap((description, file) => {
    const { length, sha256 } = said.find(each => each?.['path'] === description.path) ?? {}
    if (typeof sha256 !== 'string' || !SHA256.test(sha256) || !Number.isInteger(length)) return []
    return [{ file, path: layout.final(description), size: Number(length), digest: Buffer.from(sha256, 'hex') }]
  })
}

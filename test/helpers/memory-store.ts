/** A store without a disk: what a session can be given in place of ComputeStore. */
import { once } from 'node:events'
import { BitWorkerError, CommandError } from '../../lib/base/errors.ts'
import { sha256 } from '../../lib/base/digest.ts'
import { sameResult } from '../../lib/results/result.ts'
import type { Result } from '../../lib/results/result.ts'
import { locate } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import type {
  ChunkStore,
  DoneCallback,
  FinishOptions,
  FinishedFile,
  GenerateOptions,
  Generated,
  Generation,
  GetCallback,
  GetOptions,
  PieceDraft,
  PieceStore
} from '../../lib/store/types.ts'

interface Stored { bytes: Buffer, result: Result }

/** Keeps pieces in memory; `compute` is its command. */
export class MemoryStore implements ChunkStore, PieceStore {
  readonly chunkLength: number
  readonly #task: Task
  readonly #compute: (index: number) => Promise<string>
  readonly #pieces = new Map<number, Stored>()
  readonly #listeners: Array<(index: number) => void> = []
  readonly #computed = new Map<number, Result>()
  #isOpen = false

  constructor (task: Task, compute: (index: number) => Promise<string>) {
    this.chunkLength = task.pieceLength
    this.#task = task
    this.#compute = compute
  }

  async open (): Promise<Array<[number, Result]>> {
    this.#isOpen = true
    return []
  }

  onLost (listener: (index: number) => void): void { this.#listeners.push(listener) }

  put (index: number, bytes: Uint8Array, cb: DoneCallback = () => {}): void {
    this.#answer(() => {
      this.#check(index, bytes.length)
      this.#pieces.set(index, storedOf(bytes))
    }, cb)
  }

  get (index: number, opts?: GetOptions | GetCallback | null, cb: GetCallback = () => {}): void {
    if (typeof opts === 'function') return this.get(index, null, opts)
    this.#answer(() => this.#slice(index, opts ?? {}), cb)
  }

  async read (index: number, offset: number, length: number): Promise<Buffer> {
    return this.#slice(index, { offset, length })
  }

  receive (index: number, size: number): PieceDraft {
    this.#check(index, size)
    const bytes = Buffer.alloc(size)
    return {
      write: async (at, chunk) => {
        this.#checkOpen()
        bytes.set(chunk, at)
      },
      hashInto: async (digest, at, length) => { digest.update(bytes.subarray(at, at + length)) },
      commit: async () => this.#commit(index, bytes),
      discard: () => {}
    }
  }

  async verify (index: number): Promise<boolean> {
    const piece = this.#pieces.get(index)
    if (piece === undefined) return false
    if (Buffer.from(sha256(piece.bytes)).equals(piece.result.digest)) return true
    this.#pieces.delete(index)
    for (const listener of this.#listeners) listener(index)
    return false
  }

  async verifyRest (): Promise<void> {}

  drop (index: number): void {
    if (this.#pieces.delete(index)) for (const listener of this.#listeners) listener(index)
  }

  generate (index: number, { replaces }: GenerateOptions = {}): Generation {
    this.#checkOpen()
    const kill = new AbortController()
    const killed = once(kill.signal, 'abort').then(() => {
      throw new CommandError('BW_ERR_COMMAND_KILLED', 'The work item was killed.', {
        exitCode: null, signal: 'SIGKILL', stderr: ''
      })
    })
    killed.catch(() => {}) // nobody looks at it once the command has ended
    const run = async (): Promise<Generated> => {
      const text = await Promise.race([this.#compute(index), killed])
      const own = storedOf(Buffer.from(text))
      const known = this.#pieces.get(index)?.result
      const isOther = known !== undefined && !sameResult(known, own.result)
      const hashInto: PieceDraft['hashInto'] = async digest => { digest.update(own.bytes) }
      if (isOther && await replaces?.({ ...own.result, draft: { hashInto }, ms: 0 }, known) === true) this.drop(index)
      const stored = this.#commit(index, own.bytes)
      const isKept = sameResult(stored, own.result)
      if (isKept && replaces !== undefined && !this.#computed.has(index)) this.#computed.set(index, own.result)
      return { ...stored, ...(!isKept && { discarded: own.result }), ms: 0, stderr: '' }
    }
    const done = run()
    return {
      piece: index,
      done,
      ended: done.then(
        () => {}, () => {}
      ),
      kill: () => {
        kill.abort()
      },
      pause: () => {},
      resume: () => {}
    }
  }

  computed (index: number): Result | undefined { return this.#computed.get(index) }

  async finishFile (file: number, { run }: FinishOptions): Promise<FinishedFile | null> {
    const description = this.#task.files[file]
    if (description === undefined) throw new BitWorkerError('BW_ERR_TASK_PIECE', 'usage', `There is no file ${file}.`)
    let length = 0
    for (const [index, { result }] of this.#pieces) if (locate(this.#task, index).file === file) length += result.size
    const isHere = (part: number): boolean => this.#pieces.has(description.firstPiece + part)
    if (!Array.from({ length: description.parts }, (_, part) => part).every(isHere)) {
      throw new BitWorkerError('BW_ERR_PART_MISSING', 'usage', `${description.path} lacks a part.`)
    }
    return this.#task.completeCommand !== undefined && !run ? null : { path: `/${description.path}`, length }
  }

  close (cb: DoneCallback = () => {}): void {
    this.#isOpen = false
    queueMicrotask(() => { cb(null) })
  }

  destroy (cb: DoneCallback = () => {}): void {
    this.#pieces.clear()
    this.close(cb)
  }

  #commit (index: number, bytes: Uint8Array): Result {
    this.#checkOpen()
    if (!this.#pieces.has(index)) this.#pieces.set(index, storedOf(bytes))
    return this.#pieces.get(index)!.result
  }

  #slice (index: number, { offset = 0, length }: GetOptions): Buffer {
    this.#checkOpen()
    const bytes = this.#pieces.get(index)?.bytes
    if (bytes === undefined) throw new BitWorkerError('BW_ERR_PIECE_MISSING', 'usage', `Piece ${index} is not stored.`)
    const end = offset + (length ?? bytes.length - offset)
    if (![offset, end].every(Number.isInteger) || offset < 0 || end < offset || end > bytes.length) throw range(index)
    return bytes.subarray(offset, end)
  }

  #check (index: number, size: number): void {
    this.#checkOpen()
    if (!Number.isInteger(index) || index < 0 || index >= this.#task.pieceCount || size > this.chunkLength) {
      throw range(index)
    }
  }

  #checkOpen (): void {
    if (!this.#isOpen) throw new BitWorkerError('BW_ERR_STORE_CLOSED', 'usage', 'The store is not open.')
  }

  #answer<T> (get: () => T, cb: (err: Error | null, value?: T) => void): void {
    queueMicrotask(() => {
      let value: T
      try {
        value = get()
      } catch (err) {
        return cb(err as Error)
      }
      cb(null, value)
    })
  }
}

function storedOf (bytes: Uint8Array): Stored {
  return { bytes: Buffer.from(bytes), result: { size: bytes.length, digest: sha256(bytes) } }
}

function range (index: number): BitWorkerError {
  return new BitWorkerError('BW_ERR_PIECE_RANGE', 'usage', `That is beyond piece ${index}.`)
}

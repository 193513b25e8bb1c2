/**
 * A task whose output another task of the same client reads: joined, so that what is there is downloaded and what is
 * missing can be computed, in the cache or where it was run before. Nothing of it is computed unless somebody says so
 * (event 'stage'). Several tasks may read it. Made by input-torrents.ts.
 */
import type { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import { InputCache } from '../inputs/cache.ts'
import type { CacheEntry } from '../inputs/cache.ts'
import { findTask } from '../inputs/registry.ts'
import { MAX_STAGES } from '../inputs/stage-source.ts'
import type { InputStageEvents } from '../inputs/supply-types.ts'
import type { OutputInput } from '../task/types.ts'
import type { Discovering, InputClient, OtherTorrent, ParentTorrent } from './input-types.ts'
import { isInputTorrent } from './open-input.ts'
import type { InputOptions } from './options.ts'
import type { Torrent } from './public-types.ts'
import { StageView, inputError } from './stage-view.ts'
import type { StageTorrent } from './stage-view.ts'
import { verifyOptionsOf } from './verify-options.ts'
import type { VerifyOptions } from './verify-types.ts'

const trace = traceOf('inputs')

/** Tasks that one task is made of, all together. */
const MAX_TASKS = 64

/** By info-hash: from the task that somebody wanted down to one whose output it needs, and all that it needs. */
export interface Lineage { readonly tasks: readonly string[], readonly all: Set<string> }

const lineages = new WeakMap<object, Lineage>()

function lineageOf (torrent: ParentTorrent): Lineage {
  const known = lineages.get(torrent)
  if (known !== undefined) return known
  const first = { tasks: [torrent.infoHash], all: new Set([torrent.infoHash]) }
  lineages.set(torrent, first)
  return first
}

/** A task that reads it, and whether it wants all of it. */
interface User { readonly input: OutputInput, readonly pieceCount: number, view: StageView | null, isAll: boolean }

/** One task whose output is an input, in one client. */
export class SharedStage {
  readonly #input: OutputInput
  readonly #options: InputOptions
  readonly #client: InputClient
  readonly #discovery: Discovering
  /** whoever verifies a task verifies what it reads */
  readonly #verify: VerifyOptions
  readonly #lineage: Lineage
  /** tasks, each as long as it has it */
  readonly #parents = new Set<ParentTorrent>()
  readonly #users = new Map<InputStageEvents, User>()
  #torrent: StageTorrent | null = null
  /** somebody else has it in the client: it is neither deselected nor closed */
  #isForeign = false
  #entry: CacheEntry | null = null
  /** peers that were named before there was a torrent */
  #peers: string[] = []
  #isOpen = false
  #isClosed = false
  #wake = (): void => {}
  /** takes the listeners off the torrent */
  #unlisten = (): void => {}
  #error: Error | null = null
  readonly #added: Promise<void>

  /** Throws BW_ERR_INPUT where tasks would need each other, or too many. */
  constructor (input: OutputInput, parent: ParentTorrent, options: InputOptions, ended: Promise<void>) {
    this.#input = input
    // the task may end before others that read it
    this.#client = parent.client
    this.#discovery = { announce: [...parent.announce], isPrivate: parent.private === true }
    this.#verify = verifyOptionsOf(parent._options)
    this.#options = options
    const lineage = this.#lineage = lineageOf(parent)
    const problem = lineageProblem(input.task.infoHash, lineage)
    if (problem !== null) throw inputError(input, `${problem}; nothing of it is computed`)
    lineage.all.add(input.task.infoHash)
    this.#added = this.#begin(ended).catch((err: unknown) => { this.#fail(err as Error) })
  }

  /** The torrent once it was added; null: it could not be. */
  async added (): Promise<Torrent | null> {
    await this.#added
    return this.#error === null ? this.#torrent as unknown as Torrent | null : null
  }

  /** @param ended resolves when the last one of the same task has ended */
  async #begin (ended: Promise<void>): Promise<void> {
    await ended
    const { infoHash } = this.#input.task
    const made = await findTask(infoHash, this.#options.registry)
    const known = await this.#inClient()
    if (this.#isClosed || this.#client.destroyed) return
    if (known !== undefined) {
      this.#isForeign = true
      return this.#use(known as unknown as StageTorrent)
    }
    const folder = made?.folder !== undefined && existsSync(made.folder) ? made.folder : undefined
    this.#add(made?.file ?? infoHash, folder)
  }

  /** Waits while the client has it as an input torrent: if it is a task, that is wrong, and will be closed. */
  async #inClient (): Promise<OtherTorrent | undefined> {
    for (;;) {
      const known = this.#client.torrents.find(({ infoHash, destroyed }) =>
        infoHash === this.#input.task.infoHash && !destroyed)
      const isTask = known === undefined || !isInputTorrent(known)
      if (isTask || this.#isClosed || (known.metadata !== null && known.task === null)) return known
      await new Promise<void>(resolve => {
        this.#wake = resolve
        for (const event of ['metadata', 'close'] as const) known.once(event, resolve)
      })
      for (const event of ['metadata', 'close'] as const) known.removeListener(event, this.#wake)
    }
  }

  /** @param folder where it was run before; default: the cache */
  #add (id: string | Uint8Array, folder: string | undefined): void {
    const { announce, isPrivate } = this.#discovery
    if (folder === undefined) this.#entry = new InputCache(this.#options).open(this.#input.task.infoHash)
    const torrent = this.#client.add(id, {
      path: folder ?? this.#entry!.root,
      deselect: true,
      announce: [...announce],
      inputs: this.#options,
      ...this.#verify,
      ...(isPrivate && { private: true })
    }) as StageTorrent
    const { tasks, all } = this.#lineage
    const { infoHash } = this.#input.task
    lineages.set(torrent, { tasks: [...tasks, infoHash], all })
    // somebody else may have that folder open
    const again = folder === undefined ? undefined : () => { this.#add(id, undefined) }
    this.#use(torrent, again)
  }

  /** @param again called in place of failing before it is ready */
  #use (torrent: StageTorrent, again?: () => void): void {
    this.#torrent = torrent
    const ifCurrent = (then: () => void) => () => { if (this.#torrent === torrent && !this.#isClosed) then() }
    const onMetadata = ifCurrent(() => {
      if (torrent.task === null) this.#fail(inputError(this.#input, 'is not the output of a task, but an ordinary torrent'))
    })
    const onReady = ifCurrent(() => { this.#open() })
    const onChange = ifCurrent(() => { for (const events of this.#users.keys()) events.changed() })
    this.#listen(torrent, {
      metadata: onMetadata,
      ready: onReady,
      verified: onChange,
      file: onChange,
      done: onChange,
      error: err => {
        if (this.#torrent !== torrent) return
        if (again === undefined || this.#isOpen || this.#isClosed) return this.#fail(this.#inTheWay(err))
        trace('%s is opened elsewhere: %s', this.#input.name, err.message)
        again()
      },
      close: ifCurrent(() => { this.#fail(inputError(this.#input, 'is not fetched any more: the task was removed')) }),
      warning: err => { trace('%s: %s', this.#input.name, err.message) }
    })
    if (torrent.metadata !== null) onMetadata()
    if (torrent.ready) setImmediate(onReady)
    for (const peer of this.#peers.splice(0)) this.addPeer(peer)
    const [parent] = this.#parents
    parent?.emit('stage', torrent as unknown as Torrent)
  }

  /** Until `close`: a torrent that somebody else has lives longer. */
  #listen (torrent: StageTorrent, listeners: Record<string, (err: Error) => void>): void {
    const emitter = torrent as EventEmitter
    for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener)
    this.#unlisten = () => {
      for (const [event, listener] of Object.entries(listeners)) emitter.removeListener(event, listener)
    }
  }

  /** Nothing overwrites a file that was changed. The next time, the cache is used. */
  #inTheWay (err: Error): Error {
    if (!(err instanceof BitWorkerError) || err.code !== 'BW_ERR_FILE_EXISTS') return err
    return inputError(this.#input, `is not used any more, because a file of it was changed. ${err.message} Then start again`)
  }

  #open (): void {
    if (this.#error !== null) return
    this.#isOpen = true
    for (const events of this.#users.keys()) this.#tell(events)
  }

  /** Of the tasks that have it, one is told of the torrent. */
  join (parent: ParentTorrent): void { this.#parents.add(parent) }

  part (parent: ParentTorrent): void { this.#parents.delete(parent) }

  addPeer (peer: string): void {
    const torrent = this.#torrent
    if (torrent === null) {
      this.#peers.push(peer)
      return
    }
    const add = (): void => { if (!torrent.destroyed) torrent.addPeer(peer) }
    if (torrent.infoHash) add()
    else torrent.once('infoHash', add)
  }

  /** @param input what a task of so many pieces says of it, which another one may say otherwise */
  use (events: InputStageEvents, input: OutputInput, pieceCount: number): void {
    this.#users.set(events, { input, pieceCount, view: null, isAll: false })
    setImmediate(() => { this.#tell(events) })
  }

  #tell (events: InputStageEvents): void {
    const user = this.#users.get(events)
    if (user === undefined || user.view !== null) return
    if (this.#error !== null) return events.failed(this.#error)
    if (!this.#isOpen) return
    try {
      user.view = new StageView(this.#torrent!, user.input, user.pieceCount, {
        wantsAll: isAll => {
          user.isAll = isAll
          this.#select()
        },
        changed: () => { if (this.#users.get(events) === user) events.changed() }
      })
    } catch (err) {
      // one task may describe it wrongly, which must not harm others
      return events.failed(err as Error)
    }
    events.opened(user.view)
  }

  /** True when nobody uses it any more. */
  leave (events: InputStageEvents): boolean {
    this.#users.delete(events)
    if (this.#users.size > 0) this.#select()
    return this.#users.size === 0
  }

  #select (): void {
    const torrent = this.#torrent
    if (torrent === null || torrent.destroyed) return
    const last = torrent.pieces.length - 1
    if ([...this.#users.values()].some(({ isAll }) => isAll)) torrent.select(0, last)
    else if (!this.#isForeign) torrent.deselect(0, last)
  }

  #fail (err: Error): void {
    if (this.#error !== null) return
    this.#error = err
    trace('%s fails: %s', this.#input.name, err.message)
    for (const events of this.#users.keys()) events.failed(err)
    if (!this.#isForeign && this.#torrent?.destroyed === false) this.#torrent.destroy()
  }

  async close (): Promise<void> {
    this.#isClosed = true
    this.#wake()
    await this.#added
    const torrent = this.#torrent
    if (!this.#isForeign && torrent !== null) {
      if (!torrent.destroyed) await new Promise<void>(resolve => { torrent.destroy(() => { resolve() }) })
      await torrent._closed
    }
    this.#unlisten()
    this.#entry?.close()
    this.#entry = null
    await new InputCache(this.#options).trim()
  }
}

/** Hashes cannot contain each other, but nothing here may hang on that. */
export function lineageProblem (infoHash: string, { tasks, all }: Lineage): string | null {
  if (tasks.includes(infoHash)) return 'is the output of a task that needs this one'
  if (tasks.length >= MAX_STAGES) return `is the output of one more than ${MAX_STAGES} tasks in a row`
  return all.size >= MAX_TASKS && !all.has(infoHash) ? `is the output of one more than ${MAX_TASKS} tasks` : null
}

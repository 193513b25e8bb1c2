/**
 * One input in one client. Several tasks may use it: each says which pieces it wants, and is told which are stored. Its
 * torrent may have to be opened several times (open-input.ts): a full disk, or a file that its author has changed, does
 * not make a task fail; the input waits. Made by input-torrents.ts.
 */
import { CachedPlace, OriginalPlace, foundBy } from '../inputs/places.ts'
import type { InputPlace } from '../inputs/places.ts'
import { readLayout, readMetainfo } from '../inputs/metainfo.ts'
import type { InputLayout } from '../inputs/metainfo.ts'
import type { FoundInput } from '../inputs/original.ts'
import { findTask } from '../inputs/registry.ts'
import { filePath } from '../inputs/file-store.ts'
import { stampAt } from '../inputs/stamps.ts'
import type { InputTorrent, InputTorrentEvents } from '../inputs/supply-types.ts'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import { nameOf } from '../peers/strikes.ts'
import { quote } from '../task/names.ts'
import type { TorrentInput } from '../task/types.ts'
import type { Discovering, InputClient, OtherTorrent, ParentTorrent } from './input-types.ts'
import { disconnect } from './disconnect.ts'
import { OpenInput, notATorrent } from './open-input.ts'
import type { InputOptions } from './options.ts'
import type { Wire } from './types.ts'

const trace = traceOf('inputs')

/** Delay before it is opened again after a problem that may go away, such as a full disk. */
const RETRY_MS = 30_000
/** Number of peers that are named again to the next torrent. */
const MAX_PEERS = 200

/** A task that has the input, and which torrent pieces it wants. */
interface User { readonly input: TorrentInput, readonly pieceCount: number, wants: Set<number> | 'all' }

/** One input in one client. */
export class SharedInput {
  readonly #infoHash: string
  readonly #client: InputClient
  readonly #discovery: Discovering
  readonly #options: InputOptions
  readonly #users = new Map<InputTorrentEvents, User>()
  readonly #peers = new Set<string>()
  /** tasks, each as long as it has it */
  readonly #parents = new Set<ParentTorrent>()
  readonly #banned = new Set<Wire>()
  #info: Uint8Array | null = null
  #open: OpenInput | null = null
  /** the previous one has closed */
  #closed: Promise<void>
  #isBeginning = false
  #isClosed = false
  #timer: NodeJS.Timeout | undefined
  /** why it cannot be used for now */
  #waits: Error | null = null
  /** has the same info-hash */
  #other: OtherTorrent | null = null
  readonly #onOther = (): void => { this.#begin() }
  /** an original that was checked, and has changed since it was hashed */
  #spoiled: string | null = null

  /** @param before resolves when the previous one of this input has closed, whose place in the cache it takes */
  constructor (infoHash: string, parent: ParentTorrent, options: InputOptions, before: Promise<void>) {
    this.#infoHash = infoHash
    // the task may end before others that use the input
    this.#client = parent.client
    this.#discovery = { announce: [...parent.announce], isPrivate: parent.private === true }
    this.#options = options
    this.#closed = before
  }

  addPeer (peer: string): void {
    if (this.#peers.size < MAX_PEERS) this.#peers.add(peer)
    this.#open?.addPeer(peer)
  }

  /**
   * @param input the input as a task with `pieceCount` pieces describes it; another task may describe it differently
   */
  use (events: InputTorrentEvents, input: TorrentInput, pieceCount: number): void {
    this.#users.set(events, { input, pieceCount, wants: new Set() })
    setImmediate(() => {
      if (this.#open === null) this.#begin()
      this.#tell(events)
    })
  }

  /** Returns true if nobody uses it any more. */
  leave (events: InputTorrentEvents): boolean {
    this.#users.delete(events)
    this.#select()
    return this.#users.size === 0
  }

  /** Tells a task of peers that send wrong data, until `part`. */
  join (parent: ParentTorrent): void { this.#parents.add(parent) }

  part (parent: ParentTorrent): void { this.#parents.delete(parent) }

  /** The wire's peer may not come back. */
  ban (wire: Wire): void {
    if (this.#banned.size < MAX_PEERS) this.#banned.add(wire)
    this.#open?.ban(wire)
  }

  /** Who is banned is so for the input, and for all tasks that have it. */
  #blame (wire: Wire, reason: string, isFinal: boolean): void {
    if (isFinal) this.ban(wire)
    for (const parent of this.#parents) {
      parent.emit(isFinal ? 'ban' : 'strike', { peer: nameOf(wire), reason })
      if (!isFinal) continue
      parent._taskWires.ban(wire)
      disconnect(parent.wires, wire)
    }
  }

  async close (): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#forgetOther()
    this.#drop()
    await this.#closed
  }

  //
  // OPENING
  //

  #begin (): void {
    if (this.#isBeginning || this.#isClosed || this.#open !== null) return
    clearTimeout(this.#timer)
    this.#isBeginning = true
    this.#opened().catch((err: unknown) => { this.#onEnd(err as Error) }).finally(() => { this.#isBeginning = false })
  }

  async #opened (): Promise<void> {
    await this.#closed
    const found = await foundBy(this.#options, this.#infoHash)
    // nobody needs to send what tells that
    const isTask = found === null && await findTask(this.#infoHash, this.#options.registry) !== null
    if (this.#isClosed || this.#client.destroyed) return
    if (isTask) throw notATorrent(this.#name)
    const other = this.#client.torrents.find(each => each.infoHash === this.#infoHash && !each.destroyed)
    if (other !== undefined) throw this.#taken(other)
    const place = this.#original(found) ?? new CachedPlace(this.#infoHash, this.#options)
    const open = this.#open = this.#newOpen(place)
    open.open(this.#client, this.#discovery)
    for (const wire of this.#banned) open.ban(wire)
    for (const peer of this.#peers) open.addPeer(peer)
    this.#select()
  }

  /** The client has it already, perhaps as a task: then it is no input. */
  #taken (other: OtherTorrent): BitWorkerError {
    if (other.metadata !== null && other.task !== null) return notATorrent(this.#name)
    this.#forgetOther()
    for (const event of ['metadata', 'close'] as const) other.once(event, this.#onOther)
    this.#other = other
    return new BitWorkerError(
      'BW_ERR_INPUT',
      'usage',
      `The input ${quote(this.#name)} is open in this client as a torrent of its own. It is downloaded when that is closed.`
    )
  }

  #forgetOther (): void {
    for (const event of ['metadata', 'close'] as const) this.#other?.removeListener(event, this.#onOther)
    this.#other = null
  }

  get #name (): string { return [...this.#users.values()][0]?.input.name ?? this.#infoHash }

  #newOpen (place: InputPlace): OpenInput {
    const open: OpenInput = new OpenInput({ infoHash: this.#infoHash, name: this.#name }, place, {
      read: info => this.#read(info),
      opened: () => {
        this.#waits = null
        for (const events of this.#users.keys()) this.#tell(events)
      },
      short: err => { for (const events of this.#users.keys()) events.short?.(err) },
      changed: () => { for (const events of this.#users.keys()) events.changed() },
      misbehaved: (wire, reason, isFinal) => { this.#blame(wire, reason, isFinal) },
      ended: err => { if (this.#open === open) this.#onEnd(err) }
    })
    return open
  }

  /** The author's files, if they are unchanged since they were hashed. */
  #original (found: FoundInput | null): InputPlace | null {
    if (found === null) return null
    const user = [...this.#users.values()].find(each => problemOf(found.info, each) === null)
    if (user === undefined) return null
    const layout = readMetainfo(found.info, user.input, user.pieceCount)
    if (this.#spoiled === stampsOf(found.path, layout)) return null
    try {
      return new OriginalPlace(user.input, found, layout, this.#options)
    } catch (err) {
      this.#spoiled = stampsOf(found.path, layout)
      this.#lose(err as Error)
      return null
    }
  }

  /** A task may describe it wrongly, which must not harm other tasks. */
  #read (info: Uint8Array): InputLayout {
    this.#info = info
    const users = [...this.#users.values()]
    const problems = users.map(user => problemOf(info, user))
    const problem = problems.find(each => each !== null)
    if (problem !== undefined && !problems.includes(null)) throw problem
    return readLayout(info, users[0]?.input.name ?? this.#infoHash)
  }

  #onEnd (err: Error): void {
    if (this.#isClosed) return
    const { place, layout } = this.#open ?? {}
    const isSpoiled = place instanceof OriginalPlace && layout !== undefined
    if (isSpoiled) this.#spoiled = stampsOf(place.path, layout)
    this.#drop()
    if (err instanceof BitWorkerError && err.blame === 'input') return this.#refuse(err)
    this.#lose(err)
    if (this.#users.size === 0) return
    this.#timer = setTimeout(() => { this.#begin() }, isSpoiled ? 0 : RETRY_MS).unref()
  }

  #drop (): void {
    const open = this.#open
    if (open === null) return
    this.#open = null
    this.#closed = Promise.all([this.#closed, open.close()]).then(() => {}, (err: unknown) => {
      trace('%s does not close: %s', this.#infoHash, (err as Error).message)
    })
  }

  /** It can never be used. */
  #refuse (err: Error): void {
    for (const [events, user] of this.#users) {
      this.#users.delete(events)
      events.failed((this.#info === null ? null : problemOf(this.#info, user)) ?? err)
    }
  }

  #lose (err: Error): void {
    this.#waits = err
    for (const events of this.#users.keys()) this.#tell(events)
  }

  //  NOTIFICATIONS

  #tell (events: InputTorrentEvents): void {
    const user = this.#users.get(events)
    if (user === undefined) return
    const problem = this.#info === null ? null : problemOf(this.#info, user)
    if (problem !== null) {
      // an input that nobody will ever use needs no torrent
      this.#users.delete(events)
      return events.failed(problem)
    }
    const open = this.#open
    if (open?.isOpen === true) {
      this.#give(open, events, user).catch((err: unknown) => { this.#notGiven(events, err as Error) })
    } else if (this.#waits !== null) events.lost(this.#waits)
  }

  async #give (open: OpenInput, events: InputTorrentEvents, user: User): Promise<void> {
    if (events.isForCommands === true) await open.place.show()
    if (open.isOpen && this.#users.get(events) === user) events.opened(this.#viewFor(open, user))
  }

  /** An input that is only passed on continues to be. */
  #notGiven (events: InputTorrentEvents, err: Error): void {
    if (this.#isClosed || !this.#users.has(events)) return
    events.lost(err)
    if (err instanceof BitWorkerError && err.code === 'BW_ERR_INPUT') this.#open?.recheck()
    else setTimeout(() => { this.#tell(events) }, RETRY_MS).unref()
  }

  #viewFor (open: OpenInput, user: User): InputTorrent {
    return {
      layout: open.layout,
      root: open.place.root,
      get version () { return open.version },
      have: () => open.have,
      missing: () => open.missing,
      has: piece => open.has(piece),
      isElsewhere: piece => open.isElsewhere(piece),
      isOffered: piece => open.isOffered(piece),
      want: pieces => {
        user.wants = pieces === 'all' ? 'all' : new Set(pieces)
        this.#select()
      },
      read: async range => open.read(range),
      isIntact: async file => open.place.isIntact(file),
      recheck: () => { open.recheck() }
    }
  }

  #select (): void { this.#open?.want(Array.from(this.#users.values(), ({ wants }) => wants)) }
}

function problemOf (info: Uint8Array, { input, pieceCount }: User): Error | null {
  try { readMetainfo(info, input, pieceCount) } catch (err) { return err as Error }
  return null
}

function stampsOf (root: string, layout: InputLayout): string {
  return layout.files.map((_, file) => stampAt(filePath(root, layout, file))).join('\n')
}

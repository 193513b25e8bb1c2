/**
 * The torrent of an input while it is open. It is an ordinary torrent (BEP 3), of which only what is wanted is
 * downloaded, into the cache or from the author's files. When something goes wrong, it ends, and shared-input.ts opens
 * another one.
 */
import path from 'node:path'
import type { FileStore } from '../inputs/file-store.ts'
import { torrentFileOf } from '../inputs/metainfo.ts'
import type { InputLayout } from '../inputs/metainfo.ts'
import type { InputPlace } from '../inputs/places.ts'
import type { FileRange } from '../inputs/slices.ts'
import { sha1Hex } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import { hasRoom } from '../system/free-space.ts'
import { ioError } from '../system/io-errors.ts'
import { quote } from '../task/names.ts'
import { BlockBlame, failedPiece } from './block-blame.ts'
import { disconnect } from './disconnect.ts'
import type { Discovering, GuardedInput, InputClient } from './input-types.ts'
import { InputSelection } from './input-selection.ts'
import { closeDuplicates, delaySwaps } from './input-wires.ts'
import type { Wire } from './types.ts'

const trace = traceOf('inputs')

/** Checking everything again does not help if someone keeps changing it. */
const MAX_RECHECKS = 3
/** How often a full disk is looked at. */
const ROOM_MS = 5_000

/** The torrents of inputs. */
const torrents = new WeakSet<object>()

/** Whether a torrent of a client is that of an input. */
export function isInputTorrent (torrent: object): boolean { return torrents.has(torrent) }

/** The users of the torrent. */
export interface OpenInputHost {
  /** The metadata has arrived. Throws BW_ERR_INPUT if nobody can use it. */
  read (info: Uint8Array): InputLayout
  /** it can be used from now on; called again when it could not be used for a while */
  opened (): void
  /** more of it is stored, or less */
  changed (): void
  /** a peer alone is to blame for wrong data */
  misbehaved (wire: Wire, reason: string, isFinal: boolean): void
  /** nothing is downloaded, because the disk is too full; null: it is again */
  short (err: Error | null): void
  /** it cannot be used any more, and must be closed */
  ended (err: Error): void
}

/** The torrent of an input. */
export class OpenInput {
  layout!: InputLayout
  readonly place: InputPlace
  readonly #infoHash: string
  readonly #name: string
  readonly #host: OpenInputHost
  readonly #selection = new InputSelection()
  #torrent: GuardedInput | null = null
  #store: FileStore | null = null
  /** torrent pieces that are stored, since the last time they were looked at */
  #stored = new Set<number>()
  #wants: ReadonlyArray<ReadonlySet<number> | 'all'> = []
  #isReady = false
  #hasEnded = false
  #isRechecking = false
  #rechecks = 0
  #isShort = false
  #timer: NodeJS.Timeout | undefined
  #version = 0

  /** @param name the name in messages */
  constructor ({ infoHash, name }: { infoHash: string, name: string }, place: InputPlace, host: OpenInputHost) {
    this.#name = name
    this.#infoHash = infoHash
    this.place = place
    this.#host = host
  }

  /** To be called once. Throws the errors of `host.read`. */
  open (client: InputClient, { announce, isPrivate }: Discovering): void {
    const infoHash = this.#infoHash
    // the disk may have lost some of it
    const info = this.place.info !== null && sha1Hex(this.place.info) === infoHash ? this.place.info : null
    const bitfield = info === null ? null : this.place.bitfield(this.#host.read(info))
    const torrent = this.#torrent = client.add(info === null ? infoHash : torrentFileOf(info), {
      store: this.#storeClass(),
      storeCacheSlots: 0,
      deselect: true,
      announce: [...announce],
      ...(isPrivate && { private: true }),
      ...(bitfield !== null && { bitfield })
    }) as GuardedInput
    torrents.add(torrent)
    closeDuplicates(torrent)
    delaySwaps(torrent)
    // it is a task, which has a store of its own
    torrent.once('metadata', () => { if (this.#store === null) this.#end(notATorrent(this.#name)) })
    torrent.once('ready', () => { this.#onReady() })
    torrent.on('verified', index => { this.#onPiece(index) })
    // a slice that nobody had may be fetched now
    torrent.on('wire', wire => {
      for (const event of ['bitfield', 'have', 'have-all'] as const) wire.on(event, () => { this.#host.changed() })
    })
    torrent.on('error', err => { this.#end(ioError(err, this.place.path)) })
    const blame = torrent._blame = new BlockBlame(torrent, this.#host)
    torrent.on('verified', index => { blame.verified(index) })
    torrent.on('warning', err => {
      trace('%s: %s', infoHash, err.message)
      const failed = failedPiece(err)
      if (failed !== undefined) blame.failed(failed)
    })
  }

  /** It can be used. */
  get isOpen (): boolean { return this.#isReady && !this.#isRechecking && !this.#hasEnded }

  /** A new one after the stored data has become uncertain. */
  get version (): number { return this.#version }

  addPeer (peer: string): void {
    const torrent = this.#torrent
    if (torrent === null) return
    const add = (): void => { if (!torrent.destroyed) torrent.addPeer(peer) }
    if (torrent.infoHash) add()
    else torrent.once('infoHash', add)
  }

  /** The wire's peer may not come back. */
  ban (wire: Wire): void {
    const torrent = this.#torrent
    if (torrent === null || torrent.destroyed) return
    torrent._taskWires.ban(wire)
    disconnect(torrent.wires, wire)
  }

  get missing (): number { return (this.#torrent?.pieces.length ?? 0) - (this.isOpen ? this.#stored.size : 0) }

  get have (): number { return Math.min(this.#storedBytes, this.layout.length) }

  get #storedBytes (): number {
    const { pieceLength, torrentLength } = this.layout
    const count = Math.ceil(torrentLength / pieceLength)
    const shortBy = this.#stored.has(count - 1) ? count * pieceLength - torrentLength : 0
    return this.#stored.size * pieceLength - shortBy
  }

  has (piece: number): boolean { return this.isOpen && this.#torrent?.pieces[piece] === null }

  isOffered (piece: number): boolean {
    return this.#torrent?.wires.some(({ isSeeder, peerPieces }) => isSeeder === true || peerPieces.get(piece)) === true
  }

  isElsewhere (piece: number): boolean {
    return this.#torrent?.wires.some(({ isSeeder, peerPieces }) => isSeeder !== true && peerPieces.get(piece)) === true
  }

  /** Rejects for data that may be wrong. */
  async read ({ file, start, end }: FileRange): Promise<Uint8Array> {
    const version = this.#version
    const bytes = await this.#store!.read(this.layout.files[file]!.offset + start, end - start)
    if (version !== this.#version) throw new BitWorkerError('BW_ERR_INPUT', 'system', 'It was changed while it was read.')
    return bytes
  }

  /** The torrent pieces that are downloaded. */
  want (wants: ReadonlyArray<ReadonlySet<number> | 'all'>): void {
    this.#wants = wants
    clearTimeout(this.#timer)
    const torrent = this.#torrent
    if (torrent === null || torrent.destroyed || !this.isOpen) return
    const isShort = this.place.takesSpace && !hasRoom(path.dirname(this.place.path), this.#bytesToCome())
    if (isShort) this.#timer = setTimeout(() => { this.want(this.#wants) }, ROOM_MS).unref()
    this.#selection.update(torrent, isShort ? [] : wants, this.missing)
    if (isShort !== this.#isShort) this.#host.short(isShort ? noRoom(this.#name, this.layout, this.place.path) : null)
    this.#isShort = isShort
  }

  /** Of what is wanted. */
  #bytesToCome (): number {
    const { pieceLength, torrentLength } = this.layout
    if (this.#wants.includes('all')) return torrentLength - this.#storedBytes
    let bytes = 0
    for (const piece of new Set(this.#wants.flatMap(wants => wants === 'all' ? [] : [...wants]))) {
      if (!this.#stored.has(piece)) bytes += Math.min(pieceLength, torrentLength - piece * pieceLength)
    }
    return bytes
  }

  /** The data on disk has changed: checks everything again. */
  recheck (): void {
    const torrent = this.#torrent
    if (this.#hasEnded || this.#isRechecking || torrent === null || torrent.destroyed) return
    this.#version++
    if (this.#rechecks++ === MAX_RECHECKS) return this.#end(restless(this.place.path))
    try {
      this.place.doubt()
    } catch (err) {
      return this.#end(err as Error)
    }
    this.#isRechecking = true
    torrent.rescanFiles(() => {
      this.#isRechecking = false
      this.#selection.forget()
      this.#look()
    })
  }

  async close (): Promise<void> {
    const torrent = this.#torrent
    this.place.stop(this.isOpen && torrent?.destroyed === false)
    this.#hasEnded = true
    clearTimeout(this.#timer)
    this.#version++
    if (torrent?.destroyed === false) await new Promise<void>(resolve => { torrent.destroy(() => { resolve() }) })
    await this.place.close()
  }

  //  EVENTS OF THE TORRENT

  /** WebTorrent makes the store when it has the metadata, which is therefore checked here. */
  #storeClass (): unknown {
    const open = (info: Uint8Array): FileStore => {
      this.layout = this.#host.read(info)
      const has = (piece: number): boolean => this.#torrent?.pieces[piece] === null
      return this.#store = this.place.open(info, this.layout, has, () => { this.recheck() })
    }
    return function (_chunkLength: number, { torrent }: { torrent: { infoBuffer: Uint8Array } }): FileStore {
      return open(new Uint8Array(torrent.infoBuffer))
    }
  }

  #onReady (): void {
    this.#isReady = true
    if (!this.#isRechecking) this.#look()
  }

  /** The stored pieces are known. */
  #look (): void {
    if (this.#hasEnded || !this.#isReady) return
    let isSure: boolean
    try {
      isSure = this.place.looked()
    } catch (err) {
      return this.#end(err as Error)
    }
    if (!isSure) return this.recheck()
    const { pieces } = this.#torrent!
    this.#stored = new Set(Array.from(pieces.keys()).filter(index => pieces[index] === null))
    this.want(this.#wants)
    this.#host.opened()
  }

  #onPiece (index: number): void {
    if (!this.isOpen) return
    this.#rechecks = 0
    this.#stored.add(index)
    this.#selection.came(index)
    if (!this.place.came(index)) setImmediate(() => { this.recheck() })
    this.#host.changed()
  }

  #end (err: Error): void {
    if (this.#hasEnded) return
    trace('%s ends: %s', this.#infoHash, err.message)
    this.#host.ended(err)
  }
}

function noRoom (name: string, { length }: InputLayout, at: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_DISK_FULL',
    'system',
    `The input ${quote(name)} of ${length} bytes is not downloaded, and what needs it waits: too little space is free in ${path.dirname(at)}. Free some, or choose another folder for the cache.`
  )
}

/** Makes BW_ERR_INPUT for an input whose info-hash is that of a task. */
export function notATorrent (name: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'input', `The input ${quote(name)} is a task, not a torrent, so it is not used.`)
}

function restless (at: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'system', `Something goes on changing ${at}, or it cannot be used as it is.`)
}

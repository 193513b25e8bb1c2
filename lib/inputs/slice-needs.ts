/** What the pieces of a task need of its split input, and who has that. Made by supply.ts. */
import type { Reach } from '../session/work-session.ts'
import type { TaskInput, TorrentInput } from '../task/types.ts'
import { lacking } from './item-inputs.ts'
import type { ItemInputs } from './item-inputs.ts'
import { groupOf, tableRange } from './slices.ts'
import { tooMuch } from './supplied-input.ts'
import type { SuppliedInput } from './supplied-input.ts'
import type { InputTorrent } from './supply-types.ts'

/** Callbacks of the needs. */
export interface SliceNeedsHost {
  /** more is known */
  changed (): void
  /** a piece will never be ready, for this reason; the message may stand for all pieces of its kind */
  refused (err: Error): void
}

/** The slices of one split input. */
export class SliceNeeds {
  readonly #entry: SuppliedInput
  readonly #items: ItemInputs
  readonly #maxBytes: number
  readonly #host: SliceNeedsHost
  readonly #reading = new Set<number>()
  readonly #refused = new Set<number>()

  /** @param maxBytes pieces with larger slices are refused */
  constructor (entry: SuppliedInput, items: ItemInputs, maxBytes: number, host: SliceNeedsHost) {
    this.#entry = entry
    this.#items = items
    this.#maxBytes = maxBytes
    this.#host = host
  }

  /** The number of pieces of whose slices nothing is downloaded. */
  get refused (): number { return this.#refused.size }

  isRefused (piece: number): boolean { return this.#refused.has(piece) }

  /** The group of each piece; null if there are none. */
  groups (pieceCount: number): Uint32Array | null {
    const { input, torrent } = this.#entry
    if (torrent === null) return null
    const of = (piece: number): number => groupOf(input as TorrentInput, torrent.layout, piece, pieceCount)
    return Uint32Array.from({ length: pieceCount }, (_, piece) => of(piece))
  }

  /** The units that a piece still needs; null if this is still being determined, or it needs too much. */
  lacks (piece: number): number[] | null {
    const { input, torrent, stage } = this.#entry
    if (this.#refused.has(piece)) return null
    if (torrent !== null) return this.#lacksOfTorrent(input as TorrentInput, torrent, piece)
    if (stage === null || !this.#bounded(input, piece, stage.sliceBytes(piece))) return null
    return stage.has(piece) ? [] : [piece]
  }

  /** How the other peers stand to a piece: they have part of its slice; nobody who is connected has all of it. */
  others (piece: number, lacks: readonly number[]): 'none' | 'fetched' | 'absent' {
    const { input, torrent } = this.#entry
    if (torrent === null || !lacks.every(unit => torrent.isOffered(unit))) return 'absent'
    // they need the table, too
    if (this.#items.knownRange(input as TorrentInput, torrent, piece) === undefined) return 'none'
    return lacks.some(unit => torrent.isElsewhere(unit)) ? 'fetched' : 'none'
  }

  /** How the slices of these pieces stand. */
  reach (pieces: Iterable<number>): Reach {
    let reach: Reach = 'here'
    for (const piece of pieces) {
      reach = 'absent'
      if (this.#refused.has(piece)) continue
      const lacks = this.lacks(piece)
      if (lacks !== null && this.#entry.torrent !== null && this.others(piece, lacks) === 'absent') continue
      if (lacks !== null || !this.#refused.has(piece)) return 'coming'
    }
    return reach
  }

  #lacksOfTorrent (input: TorrentInput, torrent: InputTorrent, piece: number): number[] | null {
    const range = this.#items.knownRange(input, torrent, piece)
    if (range !== undefined) {
      return this.#bounded(input, piece, range.end - range.start) ? lacking(torrent, range) : null
    }
    const inTable = lacking(torrent, tableRange(torrent.layout, piece))
    if (inTable.length > 0) return inTable
    this.#readTable(input, torrent, piece)
    return null
  }

  #bounded (input: TaskInput, piece: number, bytes: number): boolean {
    if (bytes <= this.#maxBytes) return true
    this.#refuse(piece, tooMuch(input, bytes))
    return false
  }

  #readTable (input: TorrentInput, torrent: InputTorrent, piece: number): void {
    if (this.#reading.has(piece)) return
    this.#reading.add(piece)
    this.#items.rangeOf(input, torrent, piece).then(() => { this.#reading.delete(piece) }, (err: unknown) => {
      // the table is invalid: the piece is not requested any more
      this.#refuse(piece, err as Error)
    }).finally(() => { this.#host.changed() })
  }

  /** The other pieces are computed. */
  #refuse (piece: number, err: Error): void {
    this.#refused.add(piece)
    this.#host.refused(err)
  }
}

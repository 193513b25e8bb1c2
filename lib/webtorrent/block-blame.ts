/**
 * Finds out who sends wrong blocks of an input: WebTorrent downloads a torrent piece that fails its hash again from the
 * same peers, forever (webtorrent#2432). The rule is the one for pieces of tasks (lib/download/piece-history.ts): a
 * peer that sent all of a wrong piece is to blame; of several none is, but from then on the piece is requested from one
 * peer at a time.
 */
import { traceOf } from '../base/trace.ts'
import { Strikes } from '../peers/strikes.ts'
import type { InternalTorrent } from './internals.ts'
import type { TorrentPiece, Wire } from './types.ts'

const trace = traceOf('inputs')

/** For so long a piece is asked of one peer, which may be slow, or may send nothing at all. */
const TURN_MS = 30_000

/** A torrent piece on its way, and the peers that were asked for blocks of it. */
interface Asked { readonly piece: TorrentPiece, readonly wires: Set<Wire>, readonly since: number }

/** The part of the torrent that is looked at. */
export type BlamedTorrent = Pick<InternalTorrent, 'pieces' | '_reservations'>

/** Who is told. */
export interface BlameHost {
  /** the peer alone is to blame for a wrong piece */
  misbehaved (wire: Wire, reason: string, isFinal: boolean): void
}

/** The blame for one torrent's wrong pieces. */
export class BlockBlame {
  readonly #torrent: BlamedTorrent
  readonly #host: BlameHost
  readonly #strikes: Strikes
  readonly #now: () => number
  readonly #asked = new Map<number, Asked>()
  /** pieces of which several peers sent blocks that did not match */
  readonly #mixed = new Set<number>()

  constructor (
    torrent: BlamedTorrent, host: BlameHost, strikes = new Strikes(), now: () => number = () => performance.now()
  ) {
    this.#torrent = torrent
    this.#host = host
    this.#strikes = strikes
    this.#now = now
  }

  /** In place of WebTorrent's `_request`, which `ask` calls: whether a block was asked of the wire. */
  request (wire: Wire, index: number, isHotswap: boolean, ask: (isHotswap: boolean) => boolean): boolean {
    const asked = this.#askedOf(index)
    if (asked === null) return ask(isHotswap)
    const isMixed = this.#mixed.has(index)
    if (isMixed && asked.wires.size > 0 && !asked.wires.has(wire)) {
      if (!this.#isOver(asked)) return false
      this.#begin(index, asked.piece)
    }
    const isAsked = ask(isHotswap && !isMixed)
    if (isAsked) this.#askedOf(index)?.wires.add(wire)
    return isAsked
  }

  /** The piece did not match its hash. */
  failed (index: number): void {
    const wires = [...this.#asked.get(index)?.wires ?? []]
    this.#asked.delete(index)
    const [wire] = wires
    trace('torrent piece %d is wrong; it came from %d peers', index, wires.length)
    if (wire === undefined) return
    if (wires.length > 1) this.#mixed.add(index)
    else this.#host.misbehaved(wire, `sent data for torrent piece ${index} of an input that is wrong`, this.#strikes.add(wire))
  }

  /** The piece is stored. */
  verified (index: number): void {
    this.#asked.delete(index)
    this.#mixed.delete(index)
  }

  #askedOf (index: number): Asked | null {
    const piece = this.#torrent.pieces[index]
    if (piece === null || piece === undefined) return null
    const known = this.#asked.get(index)
    if (known?.piece === piece) return known
    const asked = { piece, wires: new Set<Wire>(), since: this.#now() }
    this.#asked.set(index, asked)
    return asked
  }

  #isOver ({ wires, since }: Asked): boolean {
    return this.#now() - since > TURN_MS || [...wires].every(wire => wire.destroyed || wire.peerChoking)
  }

  /** Blocks that others have sent are not mixed with those of the next peer. */
  #begin (index: number, piece: TorrentPiece): void {
    const Piece = piece.constructor as new (length: number | undefined) => TorrentPiece
    this.#torrent.pieces[index] = new Piece(piece.length)
    this.#torrent._reservations[index] = []
  }
}

/** The piece that a warning of WebTorrent says did not match its hash; undefined: it says something else. */
export function failedPiece ({ message }: Error): number | undefined {
  const index = /^Piece (\d+) failed verification$/.exec(message)?.[1]
  return index === undefined ? undefined : Number(index)
}

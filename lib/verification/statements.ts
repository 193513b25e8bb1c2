/**
 * Which keys attest which results of each piece, bounded. A piece seldom has more than one attestation. That one is in
 * typed memory (43 bytes); the others are in a table of objects. Results of a piece are numbered from 1, in the order
 * in which they were heard; 0 is none. Pure. Called by known.ts.
 */
import { PackedResults } from '../results/packed-results.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { KeyRecord } from './ledger.ts'
import type { AttestationKind } from './types.ts'

/** Keys of one result that are kept, beside those of members: more of them add nothing. */
const MAX_KEYS_PER_RESULT = 3
/** Results of a piece that strangers may attest: the first, and one that contradicts it. */
const MAX_RESULTS = 2
/** Second and later attestations of all pieces: each is an object. In a larger task, one for each piece. */
const MIN_FURTHER_STATEMENTS = 65_536

/** One attestation of a piece. */
export interface Entry {
  readonly key: KeyRecord
  /** number of the result */
  readonly variant: number
  readonly kind: AttestationKind
}

/** In the byte of a first attestation, beside its kind: the key earns a record by it. */
const EARNS = 4
const KIND = 3

/** What the statements ask of their owner. */
export interface StatementsHost {
  /** the key with this number */
  keyOf (number: number): KeyRecord
  /** whether a result is of use here (stored, computed, accepted), even if nobody attests it */
  isUsed (index: number, variant: number): boolean
}

interface Further {
  /** number 2 and up */
  readonly results: Result[]
  /** all attestations of the piece, the first one too, in the order in which they were heard */
  entries: Entry[]
}

const NONE: readonly Entry[] = []

/** The attestations of all pieces. */
export class Statements {
  readonly #first: PackedResults
  readonly #firstKey: Uint16Array
  readonly #firstKind: Uint8Array
  readonly #further = new Map<number, Further>()
  readonly #furtherLimit: number
  #furtherCount = 0

  /** keys of one result that are kept */
  readonly #perResult: number
  readonly #host: StatementsHost
  /** by number of the key and kind: most pieces have one attestation, which is looked at again and again */
  readonly #lone = new Map<number, readonly Entry[]>()

  /** @param perPiece attestations of a piece that the policy asks for */
  constructor (pieceCount: number, perPiece: number, host: StatementsHost) {
    this.#first = new PackedResults(pieceCount)
    this.#firstKey = new Uint16Array(pieceCount)
    this.#firstKind = new Uint8Array(pieceCount)
    this.#furtherLimit = Math.max(MIN_FURTHER_STATEMENTS, perPiece * pieceCount)
    this.#perResult = Math.max(MAX_KEYS_PER_RESULT, perPiece)
    this.#host = host
  }

  /** All attestations of a piece that are kept, in the order in which they were heard. */
  entries (index: number): readonly Entry[] {
    const further = this.#further.get(index)
    if (further !== undefined && further.entries.length > 0) return further.entries
    const number = this.#firstKey[index] ?? 0
    if (number === 0) return NONE
    const kind = (this.#firstKind[index]! & KIND) as AttestationKind
    const at = number << 2 | kind
    let lone = this.#lone.get(at)
    if (lone === undefined) {
      lone = [{ key: this.#host.keyOf(number), variant: 1, kind }]
      this.#lone.set(at, lone)
    }
    return lone
  }

  /** The key that earns a record if the first attestation of the piece is right. */
  earner (index: number): KeyRecord | undefined {
    return (this.#firstKind[index]! & EARNS) === 0 ? undefined : this.#host.keyOf(this.#firstKey[index]!)
  }

  /** The result with this number. */
  result (index: number, variant: number): Result | undefined {
    return variant === 1 ? this.#first.get(index) : this.#further.get(index)?.results[variant - 2]
  }

  /** The number of this result; 0: it is not known. */
  variantOf (index: number, result: Result): number {
    if (this.#first.matches(index, result)) return 1
    const at = this.#further.get(index)?.results.findIndex(other => sameResult(other, result)) ?? -1
    return at + (at < 0 ? 1 : 2)
  }

  /** The number of this result, which is added if it is new, in place of one that is of no use any more. */
  number (index: number, result: Result): number {
    const known = this.variantOf(index, result)
    if (known !== 0) return known
    if (!this.#first.has(index) || this.#isFree(index, 1)) {
      this.#first.set(index, result)
      return 1
    }
    const { results } = this.#ofFurther(index)
    const free = results.findIndex((_, at) => this.#isFree(index, at + 2))
    const at = free < 0 ? results.length : free
    results[at] = { size: result.size, digest: Uint8Array.from(result.digest) }
    return at + 2
  }

  #isFree (index: number, variant: number): boolean {
    return !this.#host.isUsed(index, variant) && !this.entries(index).some(entry => entry.variant === variant)
  }

  /**
   * Whether there is room for a stranger's attestation of the piece: two results with three keys each. `counts` tells
   * which entries are strangers'.
   */
  hasRoom (index: number, result: Result, counts: (entry: Entry) => boolean): boolean {
    const entries = this.entries(index)
    if (entries.length === 0) return true
    if (this.#furtherCount >= this.#furtherLimit) return false
    const variant = this.variantOf(index, result)
    const strangers = entries.filter(counts)
    const same = strangers.filter(entry => entry.variant === variant).length
    if (same > 0) return same < this.#perResult
    return new Set(strangers.map(entry => entry.variant)).size < MAX_RESULTS
  }

  /**
   * Adds an attestation. Returns the number of its result.
   *
   * @param earns if it is the first one of the piece, its key earns a record when it turns out right
   */
  add (index: number, key: KeyRecord, result: Result, kind: AttestationKind, earns: boolean): number {
    const before = this.entries(index)
    const variant = this.number(index, result)
    if (before.length === 0 && variant === 1) {
      this.#firstKey[index] = key.number
      this.#firstKind[index] = kind | (earns ? EARNS : 0)
    } else {
      this.#ofFurther(index).entries = [...before, { key, variant, kind }]
      this.#furtherCount++
    }
    return variant
  }

  /** Forgets what the key attests about the piece. */
  remove (index: number, key: KeyRecord): void {
    const isFirst = this.#firstKey[index] === key.number
    if (isFirst) {
      this.#firstKey[index] = 0
      this.#firstKind[index] = 0
    }
    const further = this.#further.get(index)
    const kept = further?.entries.filter(entry => entry.key !== key)
    if (further === undefined || kept === undefined || kept.length === further.entries.length) return
    further.entries = kept
    if (!isFirst) this.#furtherCount--
  }

  /** Forgets all that an excluded key attests: its number is given to another key. */
  removeAll (key: KeyRecord): void {
    for (const index of key.pieces) this.remove(index, key)
    for (let kind = 0; kind <= KIND; kind++) this.#lone.delete(key.number << 2 | kind)
  }

  #ofFurther (index: number): Further {
    let further = this.#further.get(index)
    if (further === undefined) {
      further = { results: [], entries: [] }
      this.#further.set(index, further)
    }
    return further
  }
}

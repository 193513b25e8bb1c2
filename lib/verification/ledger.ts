/**
 * What is known of each peer key: the ledger. It changes by own and trusted computations, and by what contradicts or
 * confirms; what peers say about each other is not in it. Pure. Called by verification.ts.
 */

/** Peer keys that are known. A new key costs nothing, so there may be any number; each takes some 300 bytes here. */
const MAX_KEYS = 10_000
/** Members, beyond those: they have shown a certificate by a trusted key, so a stranger cannot take their room. */
const MAX_MEMBERS = 4_096
/** Confirmed pieces that make a record. One is too easily arranged. */
const CONFIRMED_FOR_RECORD = 3
/** Keys that confirmed a key, of those that are kept: one that was checked is enough. */
const MAX_VOUCHERS = 16

/** How far a key is listened to: as any, not on its word alone, not at all. */
export type KeyState = 'ok' | 'suspended' | 'excluded'

/** What is known of one peer key. */
export interface KeyRecord {
  readonly number: number
  readonly key: string
  /** the trusted key that certified it; null: a stranger */
  trustedKey: string | null
  /** results that it was first to attest, and that an own or trusted check found right, since it was last suspended */
  right: number
  /** the same, ever */
  proven: number
  /** pieces for which an own or trusted computation differs */
  readonly wrongAt: number[]
  /** pieces that it was first to attest, and that another key attested equally */
  confirmed: number
  state: KeyState
  /** pieces of which it is the earner */
  firsts: number
  /** a result of it has been accepted (`Ledger.accepted`) */
  hasAccepted: boolean
  /** pieces that it attested */
  readonly pieces: number[]
  /** keys that confirmed a piece of it, and those of which it confirmed one */
  readonly vouchers: Set<KeyRecord>
  readonly vouchedFor: Set<KeyRecord>
}

/** The key has a record: what it attested was checked here or by a trusted key, or was confirmed several times. */
export function hasRecord (key: KeyRecord): boolean {
  return key.state === 'ok' && (key.right > 0 || key.confirmed >= CONFIRMED_FOR_RECORD)
}

/** The key is believed, and something of it was checked here or by a trusted key. */
export function isChecked (key: KeyRecord): boolean { return key.state === 'ok' && key.right > 0 }

/** The key was checked, or confirmed by one that was. */
export function isVouched (key: KeyRecord): boolean {
  if (isChecked(key)) return true
  for (const voucher of key.vouchers) if (isChecked(voucher)) return true
  return false
}

/** All known keys, by name and by number (from 1). */
export class Ledger implements Iterable<KeyRecord> {
  readonly #byKey = new Map<string, KeyRecord>()
  readonly #byNumber: KeyRecord[] = []
  /** strangers, in the order in which they were excluded */
  readonly #excluded: KeyRecord[] = []
  /** of keys that were forgotten */
  readonly #free: number[] = []
  #members = 0
  #accepted = 0
  #acceptedExcluded = 0

  /** keys of members */
  get members (): number { return this.#members }

  [Symbol.iterator] (): IterableIterator<KeyRecord> { return this.#byKey.values() }

  /** keys of which a result has been accepted */
  get accepted (): number { return this.#accepted }

  /** the same, of those that are not excluded */
  get active (): number { return this.#accepted - this.#acceptedExcluded }

  /** a key was suspended or excluded */
  hasCulprit = false

  get hasExcluded (): boolean { return this.#acceptedExcluded > 0 }

  /** A result of the key is accepted. */
  accept (record: KeyRecord): void {
    if (record.hasAccepted) return
    record.hasAccepted = true
    this.#accepted++
  }

  get (key: string): KeyRecord | undefined { return this.#byKey.get(key) }

  at (number: number): KeyRecord { return this.#byNumber[number - 1]! }

  /** There is no room for one more stranger. */
  get isFull (): boolean { return this.#byKey.size - this.#members >= MAX_KEYS }

  /** The record of a key, which is made if there is room; undefined: there is none. */
  open (key: string): KeyRecord | undefined {
    return this.#byKey.get(key) ?? (this.isFull ? undefined : this.#make(key))
  }

  /** The key is not listened to from now on. */
  exclude (record: KeyRecord): void {
    record.state = 'excluded'
    record.right = 0
    this.hasCulprit = true
    if (record.hasAccepted) this.#acceptedExcluded++
    if (record.trustedKey === null) this.#excluded.push(record)
  }

  /** Forgets the stranger that was excluded first: if it comes back it is as a new key, which it could take anyway. */
  forgetExcluded (): KeyRecord | undefined {
    const record = this.#excluded.shift()
    if (record === undefined || record.trustedKey !== null) return undefined
    this.#byKey.delete(record.key)
    this.#free.push(record.number)
    return record
  }

  /** The record of a key that a trusted key certified; undefined: there is no room. */
  openMember (key: string, trustedKey: string): KeyRecord | undefined {
    if (this.#members >= MAX_MEMBERS) return undefined
    const record = this.#byKey.get(key) ?? this.#make(key)
    if (record.trustedKey === null) this.#members++
    record.trustedKey = trustedKey
    return record
  }

  /** Takes back what is known of a key from an earlier run. */
  restore (
    key: string, { state, right, proven, wrongAt }: Pick<KeyRecord, 'state' | 'right' | 'proven' | 'wrongAt'>
  ): void {
    const record = this.open(key)
    if (record === undefined) return
    if (state === 'excluded') this.exclude(record)
    else record.state = state
    if (state !== 'ok') this.hasCulprit = true
    record.right = right
    record.proven = proven
    record.wrongAt.splice(0, Infinity, ...wrongAt)
  }

  /** One key confirmed another: a record of who vouches for whom. */
  vouch (voucher: KeyRecord, key: KeyRecord): void {
    if (key.vouchers.size >= MAX_VOUCHERS) return
    key.vouchers.add(voucher)
    voucher.vouchedFor.add(key)
  }

  #make (key: string): KeyRecord {
    const record: KeyRecord = {
      number: this.#free.pop() ?? this.#byNumber.length + 1,
      key,
      trustedKey: null,
      right: 0,
      proven: 0,
      wrongAt: [],
      confirmed: 0,
      state: 'ok',
      firsts: 0,
      hasAccepted: false,
      pieces: [],
      vouchers: new Set(),
      vouchedFor: new Set()
    }
    this.#byNumber[record.number - 1] = record
    this.#byKey.set(key, record)
    return record
  }
}

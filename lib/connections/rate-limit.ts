/**
 * The limits of a client (`--upload-limit`, `--download-limit`) as the wires of tasks keep them: only blocks wait, and
 * what is small goes at once and counts as debt. WebTorrent's own way throttles the stream: then requests, claims and
 * `have` wait behind blocks, and a limit of one direction slows down the other one as well.
 */
import type { Wire } from '../base/wire.ts'

/**
 * WebTorrent's `client.throttleGroups.up` and `.down` (speed-limiter), with the bucket of the package limiter inside.
 */
export interface ThrottleGroup {
  getEnabled (): boolean
  /** bytes a second; 0: none at all */
  getRate (): number
  /** `content` may go below 0: ordinary torrents of the client use the same bucket */
  readonly bucket: { content: number, drip (): unknown }
}

/** While the limit is 0 it is looked at this often whether it still is. */
const STOPPED_MS = 1_000

/** One direction of one client. */
export class RateLimit {
  readonly #group: ThrottleGroup
  readonly #waiting = new Set<() => void>()
  #isArmed = false

  constructor (group: ThrottleGroup) {
    this.#group = group
  }

  get isOn (): boolean { return this.#group.getEnabled() }

  /** Bytes that did not wait, or (below 0) that had been counted before. */
  charge (bytes: number): void {
    if (this.isOn) this.#group.bucket.content -= bytes
  }

  /** How many wait. */
  get waiting (): number { return this.#waiting.size }

  /**
   * Calls `go`, a function of this call alone, when a block may be sent or asked for: at once if nobody waits, else in
   * turn. What it returns takes that back: at a rate of 0 nobody's turn comes, and wires end.
   */
  ask (go: () => void): () => void {
    this.#waiting.add(go)
    if (!this.#isArmed) this.#next()
    return () => { this.#waiting.delete(go) }
  }

  #next (): void {
    this.#isArmed = false
    for (const go of this.#waiting) {
      const waitMs = this.#waitMs()
      if (waitMs > 0) {
        this.#isArmed = true
        return void setTimeout(() => { this.#next() }, waitMs).unref()
      }
      this.#waiting.delete(go)
      go()
    }
  }

  #waitMs (): number {
    if (!this.isOn) return 0
    const [rate, { bucket }] = [this.#group.getRate(), this.#group]
    if (rate === 0) return STOPPED_MS
    bucket.drip()
    return bucket.content > 0 ? 0 : Math.min(STOPPED_MS, Math.ceil((1 - bucket.content) / rate * 1000))
  }
}

const limits = new WeakMap<object, RateLimit>()

/** The limit of the group, which all wires of the client share. */
export function rateLimitOf (group: ThrottleGroup): RateLimit {
  let limit = limits.get(group)
  if (limit === undefined) limits.set(group, limit = new RateLimit(group))
  return limit
}

interface Throttle { _areBothEnabled?: () => boolean }
interface Piped {
  readonly _writableState: { readonly pipeline?: { readonly from: Piped | null } | null } | null
  readonly _readableState: { readonly pipeTo?: object | null } | null
}

/** From now on the streams before and behind the wire let everything through: `RateLimit` takes their place. */
export function bypassThrottles (wire: Wire): void {
  const piped = wire as unknown as Piped
  const counting = piped._writableState?.pipeline?.from
  for (const throttle of [counting?._writableState?.pipeline?.from, piped._readableState?.pipeTo] as Array<
    Throttle | null | undefined
  >) {
    if (typeof throttle?._areBothEnabled === 'function') throttle._areBothEnabled = () => false
  }
}

/**
 * Applies a client's limits (`--upload-limit`, `--download-limit`) to the wires of tasks. Only blocks wait; small
 * messages are sent at once and counted as debt. WebTorrent throttles the whole stream instead: requests, claims and
 * `have` would then wait behind blocks, and a limit for one direction would slow down the other as well.
 */
import type { Wire } from '../base/wire.ts'

/**
 * WebTorrent's `client.throttleGroups.up` and `.down` (speed-limiter), with the token bucket of the package limiter
 * inside.
 */
export interface ThrottleGroup {
  getEnabled (): boolean
  /** bytes per second; 0: nothing */
  getRate (): number
  /** `content` may become negative: ordinary torrents of the client use the same bucket */
  readonly bucket: { content: number, drip (): unknown }
}

/** Interval of the checks whether a limit is still 0. */
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

  /** Counts bytes that did not wait; a negative number takes back bytes that were counted before. */
  charge (bytes: number): void {
    if (this.isOn) this.#group.bucket.content -= bytes
  }

  /** The number of waiting calls. */
  get waiting (): number { return this.#waiting.size }

  /**
   * Calls `go`, a function that belongs to this call only, when a block may be sent or requested: at once if nobody
   * waits, otherwise in turn. The returned function cancels the call, which is needed because wires may end while the
   * rate is 0.
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

/** The limit of the group, shared by all wires of the client. */
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

/** Disables the throttling streams before and behind the wire: `RateLimit` replaces them. */
export function bypassThrottles (wire: Wire): void {
  const piped = wire as unknown as Piped
  const counting = piped._writableState?.pipeline?.from
  for (const throttle of [counting?._writableState?.pipeline?.from, piped._readableState?.pipeTo] as Array<
    Throttle | null | undefined
  >) {
    if (typeof throttle?._areBothEnabled === 'function') throttle._areBothEnabled = () => false
  }
}

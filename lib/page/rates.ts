/** The rates of a task over the last hour. Pure: the caller says when to take a point. */
import type { RatePoint, RatesView } from './snapshot.ts'

const STEP_MS = 10_000
const MAX_POINTS = 360

/** The rates of one task. */
export class Rates {
  static readonly stepMs = STEP_MS
  #points: RatePoint[] = []
  #stored: number
  #at: number

  /** @param stored number of stored pieces at `now`, milliseconds since 1970 */
  constructor (stored: number, now: number) {
    this.#stored = stored
    this.#at = now
  }

  /** Takes a point. Speeds are bytes per second. */
  take (stored: number, downloadSpeed: number, uploadSpeed: number, now: number): RatePoint {
    const minutes = (now - this.#at) / 60_000
    const perMinute = minutes > 0 ? Math.max(0, stored - this.#stored) / minutes : 0
    const point: RatePoint = [now, round(perMinute), Math.round(downloadSpeed), Math.round(uploadSpeed)]
    this.#points.push(point)
    if (this.#points.length > MAX_POINTS) this.#points.shift()
    this.#stored = stored
    this.#at = now
    return point
  }

  /** Pieces stored per minute over the last five minutes; null: too early to tell. */
  get piecesPerMinute (): number | null {
    const points = this.#points.slice(-30)
    if (points.length === 0) return null
    return round(points.reduce((sum, [, perMinute]) => sum + perMinute, 0) / points.length)
  }

  view (points: RatePoint[] = this.#points): RatesView { return { stepMs: STEP_MS, points } }
}

const round = (value: number): number => Math.round(value * 100) / 100

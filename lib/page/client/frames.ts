/**
 * When what is painted: in animation frames, at most twice a second each, and never more work in a frame than it has
 * room for. Work is counted in pieces read and pixels written, not in time, so that it can be tested. Pure: the frames
 * and the clock are handed in.
 */

/** About 15 ms on a slow machine. */
export const FRAME_WORK = 3_000_000
const EVERY_MS = 500

export interface Painter {
  /** pieces read and pixels written by the next `paint` */
  work: () => number
  paint: () => void
}

export interface FrameHost {
  request: (run: () => void) => void
  now: () => number
  later: (run: () => void, ms: number) => void
}

/** Paints what was asked for; the least recently painted first. */
export class Frames {
  readonly #host: FrameHost
  readonly #wanted = new Set<Painter>()
  readonly #painted = new Map<Painter, number>()
  #isRequested = false

  constructor (host: FrameHost) { this.#host = host }

  /** `isUrgent`: an answer to the user, which does not wait for its half second. */
  want (painter: Painter, isUrgent = false): void {
    this.#wanted.add(painter)
    if (isUrgent) this.#painted.delete(painter)
    this.#request()
  }

  drop (painter: Painter): void {
    this.#wanted.delete(painter)
    this.#painted.delete(painter)
  }

  #request (): void {
    if (this.#isRequested || this.#wanted.size === 0) return
    this.#isRequested = true
    const wait = Math.min(...[...this.#wanted].map(painter => this.#due(painter))) - this.#host.now()
    const run = (): void => this.#host.request(() => this.#frame())
    if (wait > 0) this.#host.later(run, wait)
    else run()
  }

  #due (painter: Painter): number { return (this.#painted.get(painter) ?? -Infinity) + EVERY_MS }

  #frame (): void {
    this.#isRequested = false
    const now = this.#host.now()
    let room = FRAME_WORK
    for (const painter of [...this.#wanted].sort((a, b) => this.#due(a) - this.#due(b))) {
      if (this.#due(painter) > now) continue
      const work = painter.work()
      if (work > room && room < FRAME_WORK) break
      room -= work
      this.#wanted.delete(painter)
      this.#painted.set(painter, now)
      painter.paint()
    }
    this.#request()
  }
}

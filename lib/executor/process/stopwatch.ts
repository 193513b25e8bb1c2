/** How long something has run, without the time it was paused. */
export class Stopwatch {
  #ms = 0
  /** null while it is paused */
  #since: number | null = performance.now()

  /** milliseconds */
  get ms (): number {
    return this.#ms + (this.#since === null ? 0 : performance.now() - this.#since)
  }

  get isPaused (): boolean { return this.#since === null }

  pause (): void {
    this.#ms = this.ms
    this.#since = null
  }

  /** Goes on; what has passed since it did is forgotten. */
  resume (): void { this.#since = performance.now() }
}

/** Measures how long something has run, without pauses. */
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

  /** Continues. If it was not paused, the time since it last continued is lost. */
  resume (): void { this.#since = performance.now() }
}

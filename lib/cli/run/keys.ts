/** Single keys of a terminal, while a run shows its progress. The terminal is given back as it was, however it ends. */
import process from 'node:process'
import { readStat } from '../../system/process-table.ts'

/** In raw mode, the terminal does not make signals of these. */
const SIGNALS: Record<string, NodeJS.Signals> = { '\u0003': 'SIGINT', '\u001a': 'SIGTSTP', '\u001c': 'SIGQUIT' }

/** Listens in the foreground only: in the background, reading or changing the terminal would stop the process. */
export class Keys {
  readonly #actions: Readonly<Record<string, () => void>>
  readonly #onData = (text: string): void => { for (const key of text) this.#press(key) }
  readonly #restore = (): void => { this.suspend() }
  #areHeard = false

  constructor (actions: Readonly<Record<string, () => void>>) {
    this.#actions = actions
    process.on('exit', this.#restore)
    // the terminal was closed
    process.stdin.on('error', () => { this.#areHeard = false })
    this.resume()
  }

  get areHeard (): boolean { return this.#areHeard }

  /** Listens, if this process is in the foreground. */
  resume (): void {
    if (this.#areHeard || !isForeground()) return
    this.#areHeard = true
    process.stdin.setRawMode(true).setEncoding('utf8').on('data', this.#onData).resume()
  }

  /** Gives the terminal back. */
  suspend (): void {
    if (!this.#areHeard) return
    this.#areHeard = false
    process.stdin.off('data', this.#onData).pause()
    process.stdin.setRawMode(false)
  }

  close (): void {
    process.off('exit', this.#restore)
    this.suspend()
  }

  #press (key: string): void {
    const signal = SIGNALS[key]
    // as the terminal would: to all processes of the job
    if (signal !== undefined) process.kill(0, signal)
    else if (Object.hasOwn(this.#actions, key)) this.#actions[key]!()
  }
}

function isForeground (): boolean {
  const stat = readStat(process.pid)
  // fields 5 and 8: the process group, and the one in the foreground of the terminal
  return stat === null || stat[2] === stat[5]
}

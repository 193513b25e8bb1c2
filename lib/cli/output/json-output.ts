/** `--json`: one object per line on stdout. Nothing else writes to stdout while `--json` is on. */
import type { Writable } from 'node:stream'
import { escapeJson } from './format.ts'

/** Writes events as JSON lines; does nothing without `--json`. */
export class JsonOutput {
  readonly enabled: boolean
  readonly #stream: Writable

  constructor (enabled: boolean, stream: Writable = process.stdout) {
    this.enabled = enabled
    this.#stream = stream
  }

  /** Writes one line: `event` first, then the fields. Undefined fields are omitted. */
  emit (event: string, fields: object = {}): void {
    if (this.enabled) this.#stream.write(`${escapeJson(JSON.stringify({ event, ...fields }))}\n`)
  }
}

/** `--json`: one object a line on stdout. The only place that writes there while `--json` is on. */
import type { Writable } from 'node:stream'
import { escapeJson } from './format.ts'

/** Writes events as JSON lines, or nothing at all where nobody asked for them. */
export class JsonOutput {
  readonly enabled: boolean
  readonly #stream: Writable

  constructor (enabled: boolean, stream: Writable = process.stdout) {
    this.enabled = enabled
    this.#stream = stream
  }

  /** One line: `event` first, then the fields; fields that are undefined are left out. */
  emit (event: string, fields: object = {}): void {
    if (this.enabled) this.#stream.write(`${escapeJson(JSON.stringify({ event, ...fields }))}\n`)
  }
}

/** Server-Sent Events to one page. A page that does not read is let go: it connects again, and begins anew. */
import type { ServerResponse } from 'node:http'
import type { PageEvents } from './snapshot.ts'

/** What may wait for a page to read it, in bytes. */
const MAX_WAITING_BYTES = 1 << 20

/** One stream. */
export class EventStream {
  readonly #response: ServerResponse
  /** what was sent last, by the name of the event */
  readonly #said = new Map<string, string>()

  constructor (response: ServerResponse) {
    this.#response = response
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
    response.flushHeaders()
  }

  send<Name extends keyof PageEvents> (name: Name, value: PageEvents[Name]): void {
    this.#write(name, JSON.stringify(value))
  }

  /** The same, unless it was the last that was said under this name. */
  tell<Name extends keyof PageEvents> (name: Name, value: PageEvents[Name]): void {
    const data = JSON.stringify(value)
    if (this.#said.get(name) === data) return
    this.#said.set(name, data)
    this.#write(name, data)
  }

  end (): void { this.#response.end() }

  #write (name: string, data: string): void {
    const response = this.#response
    if (response.destroyed || response.writableEnded) return
    if (response.writableLength > MAX_WAITING_BYTES) response.destroy()
    else response.write(`event: ${name}\ndata: ${data}\n\n`)
  }
}

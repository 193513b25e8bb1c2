/**
 * Reads Server-Sent Events from the body of an answer: an EventSource cannot send the header with the token. Pure.
 */

export interface StreamEvent { name: string, data: string }

/** Cuts text that arrives in parts into events. */
export class EventReader {
  #rest = ''

  push (text: string): StreamEvent[] {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop()!
    return blocks.flatMap(block => {
      const fields = block.split('\n').map(line => /^(event|data): ?(.*)$/.exec(line))
      const of = (field: string): string => fields.flatMap(match => match?.[1] === field ? [match[2]!] : []).join('\n')
      const name = of('event')
      return name === '' ? [] : [{ name, data: of('data') }]
    })
  }
}

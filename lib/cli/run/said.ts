/** What a command printed and said, to be shown. */
import { escapeLines } from '../output/format.ts'

/** As lines behind a bar; none if it said nothing. */
export function saidLines (stderr: string): string[] {
  return stderr === '' ? [] : escapeLines(stderr).map(line => `  │ ${line}`)
}

/** Takes a piece's output, of which so many bytes are written as text that cannot do anything to a terminal. */
export function outputShownOn (stream: NodeJS.WritableStream, atMost: number): (chunk: Buffer) => Promise<void> {
  let left = atMost
  return async chunk => {
    if (left <= 0) return
    stream.write(`${escapeLines(chunk.subarray(0, left).toString('utf8')).join('\n')}\n`)
    left -= chunk.length
    if (left < 0) stream.write('… (cut off; bitworker try TASK > FILE writes all of it)\n')
  }
}

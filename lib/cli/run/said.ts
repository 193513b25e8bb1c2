/** Shows a command's output and stderr. */
import { escapeLines } from '../output/format.ts'

/** Lines behind a bar; empty if there was no stderr. */
export function saidLines (stderr: string): string[] {
  return stderr === '' ? [] : escapeLines(stderr).map(line => `  │ ${line}`)
}

/** Returns a writer for a piece's output that prints up to `atMost` bytes as text that is safe for a terminal. */
export function outputShownOn (stream: NodeJS.WritableStream, atMost: number): (chunk: Buffer) => Promise<void> {
  let left = atMost
  return async chunk => {
    if (left <= 0) return
    stream.write(`${escapeLines(chunk.subarray(0, left).toString('utf8')).join('\n')}\n`)
    left -= chunk.length
    if (left < 0) stream.write('… (cut off; bitworker try TASK > FILE writes all of it)\n')
  }
}

/** What a command said on stderr, to be shown. */
import { escapeLines } from '../format.ts'

/** As lines behind a bar; none if it said nothing. */
export function saidLines (stderr: string): string[] {
  return stderr === '' ? [] : escapeLines(stderr).map(line => `  │ ${line}`)
}

/**
 * What happens inside, for whoever looks for a mistake: `DEBUG=bitworker:*` prints it to stderr, as WebTorrent's own
 * packages do (`DEBUG=*`). Off, a line costs a call that returns at once; arguments must cost nothing to make.
 */
import createDebug from 'debug'

/** The areas. */
export const TRACE_AREAS = ['scheduling', 'claims', 'downloads', 'store', 'executor', 'discovery', 'inputs'] as const

/** Prints a line of an area; `format` as console.log's. */
export type Trace = (format: string, ...args: unknown[]) => void

/** The tracing of one area. */
export function traceOf (area: typeof TRACE_AREAS[number]): Trace {
  return createDebug(`bitworker:${area}`)
}

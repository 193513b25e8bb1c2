/**
 * Tracing of internal events: `DEBUG=bitworker:*` prints them to stderr, as WebTorrent's packages do (`DEBUG=*`). When
 * tracing is off, a call returns at once, so its arguments must be cheap to compute.
 */
import createDebug from 'debug'

/** The areas that can be traced. */
export const TRACE_AREAS = ['scheduling', 'claims', 'downloads', 'store', 'executor', 'discovery', 'inputs'] as const

/** Prints a line of an area; `format` is as for console.log. */
export type Trace = (format: string, ...args: unknown[]) => void

/** Returns the tracing function of an area. */
export function traceOf (area: typeof TRACE_AREAS[number]): Trace {
  return createDebug(`bitworker:${area}`)
}

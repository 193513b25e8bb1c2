/** Tells when nobody reads our standard output any more, also while nothing is written to it. */
import { spawn } from 'node:child_process'
import { fstatSync } from 'node:fs'
import process from 'node:process'

/**
 * Calls `closed` when the last reader of the pipe that is our standard output has left; never for a file or a
 * terminal, or where the system's tail(1) cannot tell (GNU's can). Node cannot: it learns of it when it writes.
 * @returns a function that ends the watch
 */
export function watchOutput (closed: () => void): () => void {
  if (!fstatSync(1).isFIFO()) return () => {}
  // it ends with us: otherwise, the reader would wait for what it could write
  const watch = spawn('tail', ['--pid', String(process.pid), '-f', '/dev/null'], { stdio: ['ignore', 1, 'ignore'] })
  watch.unref()
  watch.once('error', () => {})
  watch.once('exit', (_, signal) => { if (signal === 'SIGPIPE') closed() })
  const stop = (): void => { watch.kill() }
  process.once('exit', stop)
  return () => {
    process.off('exit', stop)
    watch.kill()
  }
}

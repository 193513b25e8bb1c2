/** The progress of hashing a task's inputs: a line on a terminal, redrawn at most 5 times per second. */
import { createLogUpdate } from 'log-update'
import { formatBar, formatBytes } from './format.ts'

const REDRAW_MS = 200
const BAR_CELLS = 30

/** Shows progress on stderr until it is closed, which removes it. */
export function hashingBar (): { show: (done: number, total: number) => void, close: () => void } {
  const log = createLogUpdate(process.stderr)
  let shownAt = -Infinity
  return {
    show: (done, total) => {
      const now = performance.now()
      if (now - shownAt < REDRAW_MS) return
      shownAt = now
      const fraction = total === 0 ? 1 : done / total
      log(`${formatBar(fraction, BAR_CELLS)} ${Math.floor(fraction * 100)} % of ${formatBytes(total)} hashed`)
    },
    close: () => { log.clear() }
  }
}

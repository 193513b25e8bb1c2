/** The progress of `bitworker verify`: a line on a terminal, redrawn at most 5 times per second. */
import { createLogUpdate } from 'log-update'
import { formatBar } from './format.ts'

const REDRAW_MS = 200
const BAR_CELLS = 30

/** Shows progress on stderr until it is closed, which removes it. @param total number of pieces */
export function checkingBar (total: number): { show: (done: number, bad: number) => void, close: () => void } {
  if (!process.stderr.isTTY) return { show: () => {}, close: () => {} }
  const log = createLogUpdate(process.stderr)
  let shownAt = -Infinity
  return {
    show: (done, bad) => {
      const now = performance.now()
      if (now - shownAt < REDRAW_MS) return
      shownAt = now
      log(`${formatBar(done / total, BAR_CELLS)} ${done} of ${total} pieces checked${bad === 0 ? '' : `, ${bad} not right`}`)
    },
    close: () => { log.clear() }
  }
}

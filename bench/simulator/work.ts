/** Work items that take virtual time: what the store's `generate` is to lib/session/compute-slots.ts. */
import { CommandError } from '../../lib/base/errors.ts'
import type { Result } from '../../lib/results/result.ts'
import type { Generated, Generation } from '../../lib/store/types.ts'
import type { VirtualClock } from './clock.ts'

/** Made once: an error's stack is most of its cost. */
const KILLED = new CommandError('BW_ERR_COMMAND_KILLED', 'The work item was killed.', {
  exitCode: null, signal: 'SIGKILL', stderr: ''
})

/** A work item. */
export interface Work {
  clock: VirtualClock
  index: number
  result: Result
  ms: number
  /** it is over, after so long */
  ended: (ms: number, wasKilled: boolean) => void
}

/** Starts a work item; pausing it is not part of any simulation. */
export function compute ({ clock, index, result, ms, ended: report }: Work): Generation {
  const since = clock.now()
  let kill: (() => void) | undefined
  let end: (() => void) | undefined
  const ended = new Promise<void>(resolve => { end = resolve })
  const done = new Promise<Generated>((resolve, reject) => {
    const settle = (wasKilled: boolean): void => {
      kill = undefined
      report(clock.now() - since, wasKilled)
      // the result first: in the paper's rounds nobody chooses before it is known
      if (wasKilled) reject(KILLED)
      else resolve({ ...result, ms, stderr: '' })
      end?.()
      clock.settled()
    }
    const cancel = clock.after(ms, () => { settle(false) })
    kill = () => {
      cancel()
      settle(true)
    }
  })
  return { piece: index, ended, done, kill: () => { kill?.() }, pause: () => {}, resume: () => {} }
}

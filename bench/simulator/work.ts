/** Work items that take virtual time: what the store's `generate` is to lib/computing.ts. */
import type { Generation } from '../../lib/compute-store.ts'
import { CommandError } from '../../lib/errors.ts'
import type { Result } from '../../lib/results.ts'
import type { VirtualClock } from './clock.ts'

/** Made once: an error's stack is most of its cost. */
const KILLED = new CommandError('BW_ERR_COMMAND_KILLED', 'The work item was killed.', { exitCode: null, signal: 'SIGKILL', stderr: '' })

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
export function compute ({ clock, index, result, ms, ended }: Work): Generation {
  const since = clock.now()
  let kill: (() => void) | undefined
  const done = new Promise<Result & { ms: number }>((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      ended(ms, false)
      resolve({ ...result, ms })
      clock.settled()
    })
    kill = () => {
      kill = undefined
      cancel()
      ended(clock.now() - since, true)
      reject(KILLED)
      clock.settled()
    }
  })
  return { piece: index, done, kill: () => { kill?.() }, pause: () => {}, resume: () => {} }
}

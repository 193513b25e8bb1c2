/** Warnings of `run`, for people and for `--json`. */
import type { BitWorkerError } from '../../base/errors.ts'
import { advised } from '../output/failure.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'

/** Warns of an error after which the run continues. */
export function warn (problem: BitWorkerError, out: JsonOutput, screen: Screen): void {
  const { code } = problem
  const message = advised(problem, 'run')
  out.emit('warning', { code, message })
  screen.alert(`Warning: ${message}`)
}

/** Commands see what is not part of the task. */
export function warnBinds (out: JsonOutput, screen: Screen): void {
  const message =
    'What --bind shows is not part of the task. Peers that bind different contents compute different results, which end up in the same files.'
  out.emit('warning', { message })
  screen.alert(`Warning: ${message}`)
}

/** The task file was converted. */
export function warnConverted (out: JsonOutput, screen: Screen): void {
  const message =
    'This task file has the format of 2014, whose info-hash does not cover the command, so it was converted. Pass --legacy-swarm to join its original swarm.'
  out.emit('warning', { message })
  screen.alert(`Warning: ${message}`)
}

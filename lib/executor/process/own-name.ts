/**
 * Names for folders that are this process's own and should end with it: whoever comes next can tell those of a process
 * that was killed, and removes them.
 */
import { readlinkSync } from 'node:fs'
import process from 'node:process'
import { startTimeOf } from '../../system/process-table.ts'

/** Another one's processes have numbers that mean nothing here. */
const NAMESPACE = namespaceOf('pid')
const OURS = /^bitworker-(\d*)-(\d+)-(\d+)-\w+$/

/** To be completed by some letters and digits. */
export function ownPrefix (): string {
  return `bitworker-${NAMESPACE}-${process.pid}-${startTimeOf(process.pid)}-`
}

/** Whether the name is of a process that is no more. */
export function isLeft (name: string): boolean {
  const [, namespace, pid = '', start = ''] = OURS.exec(name) ?? []
  return pid !== '' && namespace === NAMESPACE && startTimeOf(Number(pid)) !== start
}

function namespaceOf (kind: string): string {
  try {
    return /\d+/.exec(readlinkSync(`/proc/self/ns/${kind}`))?.[0] ?? ''
  } catch {
    return ''
  }
}

/**
 * Names for folders that belong to this process and should end with it: a later process recognises those of one that
 * was killed, and removes them.
 */
import { readlinkSync } from 'node:fs'
import process from 'node:process'
import { startTimeOf } from '../../system/process-table.ts'

/** Process ids of another namespace mean nothing here. */
const NAMESPACE = namespaceOf('pid')
const OURS = /^bitworker-(\d*)-(\d+)-(\d+)-\w+$/

/** The caller appends some letters and digits. */
export function ownPrefix (): string {
  return `bitworker-${NAMESPACE}-${process.pid}-${startTimeOf(process.pid)}-`
}

/** Whether the name belongs to a process that has ended. */
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

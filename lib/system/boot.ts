/** Identifies the current boot of this machine. */
import { readFileSync } from 'node:fs'

let id: string | undefined

/** A text that is different after each boot of the system; '' where the system does not provide one. */
export function bootId (): string {
  try {
    id ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    id = ''
  }
  return id
}

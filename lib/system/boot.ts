/** When this machine was started. */
import { readFileSync } from 'node:fs'

let id: string | undefined

/** Another text after each start of the system; '' where that cannot be known. */
export function bootId (): string {
  try {
    id ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    id = ''
  }
  return id
}

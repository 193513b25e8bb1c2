/** What every refusal has in common. */
import type { Test } from 'tape'
import { BitWorkerError } from '../../lib/base/errors.ts'

/** Passes if `action` throws a BitWorkerError with this code, whose message is one line. */
export function isRefused (t: Test, what: string, code: string, action: () => unknown): void {
  try {
    action()
    t.fail(`${what}: not refused`)
  } catch (error) {
    if (!(error instanceof BitWorkerError)) throw error
    t.equal(error.code, code, `${what}: ${error.message}`)
    if (/[\p{Cc}\p{Bidi_Control}]/u.test(error.message)) t.fail(`${what}: not one line that any terminal can show`)
  }
}

/**
 * What commands leave behind ends neither the client nor the task, does not hide from the limit of the disk, and does
 * not survive the clean-up: as root and as an ordinary user, by work items and complete commands.
 */
import test from 'tape'
import type { Left } from '../fixtures/leftovers.ts'
import { USERS, runAs } from './confined.ts'

/** All that commands leave in one kind of sandbox, as each user. */
export function testLeftovers (kind: 'bwrap' | 'landlock' | 'none'): void {
  for (const { name: user, uid } of USERS) {
    test(`as ${user}: what commands leave, in ${kind}`, async t => {
      const { status, stdout, stderr } = await runAs(t, uid, 'leftovers.ts', [kind])
      t.deepEqual([status, stderr], [0, ''], 'the client goes on to its end')
      const lines = stdout.trim().split('\n')
      t.equal(lines.pop(), '{"end":true}')
      t.ok(lines.length >= 22, `${lines.length} attempts`)
      for (const line of lines) {
        const { name, kind: what, isUnseen, tier, code, message, size, left } = JSON.parse(line) as Left
        t.equal(tier, kind)
        if (name.startsWith('more')) t.equal(code, 'BW_ERR_COMMAND_DISK', `${what}: ${name}: ${message}`)
        else if (name.startsWith('a device')) t.equal(code, 'BW_ERR_COMPLETE_NO_FILE', `${what}: ${name}: ${message}`)
        // quick or slow; an item's folder is looked into in Landlock's sandbox alone
        else if (isUnseen && (what === 'complete' || tier === 'landlock'))
          t.equal(code, 'BW_ERR_COMMAND_DISK', `${what}: ${name}: ${message}`)
        else
          t.deepEqual(
            [code, size], [null, name.startsWith('a second') ? 200 * 1024 ** 2 : 5], `${what}: ${name}: ${message}`
          )
        t.deepEqual(left, [], 'nothing is left')
      }
    })
  }
}

// What commands leave behind ends neither the client nor the task, does not hide from the limit of the disk, and does not
// survive the clean-up: in each tier, as root and as an ordinary user, by work items and complete commands.
import test from 'tape'
import type { Left } from '../fixtures/leftovers.ts'
import { USERS, runAs } from '../helpers/confined.ts'

for (const { name: user, uid } of USERS) {
  for (const kind of ['bwrap', 'landlock', 'none'] as const) {
    test(`as ${user}: what commands leave, in ${kind}`, async t => {
      const { status, stdout, stderr } = await runAs(t, uid, 'leftovers.ts', [kind])
      t.deepEqual([status, stderr], [0, ''], 'the client goes on to its end')
      const lines = stdout.trim().split('\n')
      t.equal(lines.pop(), '{"end":true}')
      t.ok(lines.length >= 22, `${lines.length} attempts`)
      for (const line of lines) {
        const { name, kind: what, tier, code, message, size, left } = JSON.parse(line) as Left
        t.equal(tier, kind)
        if (name.startsWith('more')) t.equal(code, 'BW_ERR_COMMAND_DISK', `${what}: ${name}: ${message}`)
        else if (name.startsWith('a device')) t.equal(code, 'BW_ERR_COMPLETE_NO_FILE', `${what}: ${name}: ${message}`)
        else if (name.startsWith('names')) t.ok(code === null || code === 'BW_ERR_COMMAND_DISK', `${what}: ${name}: ${code}`) // was it looked at meanwhile?
        else t.deepEqual([code, size], [null, name.startsWith('a second') ? 200 * 1024 ** 2 : 5], `${what}: ${name}: ${message}`)
        t.deepEqual(left, [], 'nothing is left')
      }
    })
  }
}

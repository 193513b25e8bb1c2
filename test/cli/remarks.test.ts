// What strangers can make us print is shown once, shortened, and not without end.
import test from 'tape'
import { Remarks } from '../../lib/cli/run/remarks.ts'

test('remarks: each once, a tracker that has a new one each time is heard no more, and after an hour again', t => {
  const shown: string[] = []
  let now = 0
  const remarks = new Remarks(text => { shown.push(text) }, () => now)
  for (let i = 0; i < 5; i++) remarks.add('warning: connection refused')
  t.same(shown, ['warning: connection refused'])
  remarks.add('peer x broke a rule: a', 'strike x')
  remarks.add('peer x broke a rule: b', 'strike x')
  t.same(shown.splice(0), ['warning: connection refused', 'peer x broke a rule: a'], 'by topic')
  remarks.add(`warning: \u001B]0;${'x'.repeat(100_000)}`)
  t.match(shown[0] ?? '', /^warning: \\x1b\]0;x{480,500}…$/, 'long ones are cut, what a terminal obeys is escaped')
  for (let i = 0; i < 10_000; i++) remarks.add(`warning: ${i}`)
  t.equal(shown.length, 19)
  t.match(shown.at(-1) ?? '', /no more/, 'and says so')
  now += 3_600_000
  remarks.add('warning: connection refused')
  t.equal(shown.length, 19, 'still known')
  for (let i = 0; i < 1_000; i++) remarks.add(`warning: later ${i}`)
  t.equal(shown.length, 19 + 21)
  t.end()
})

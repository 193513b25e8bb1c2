// Numbers and texts as people read them, and events as they arrive.
import test from 'tape'
import { formatBytes, formatCount, formatDuration, formatPercent, formatPieceRate, formatTimeLeft, harmless } from '../../lib/page/client/format.ts'
import { EventReader } from '../../lib/page/client/stream.ts'
import { announcement, outcomeOf } from '../../lib/page/client/words.ts'
import { formatBytes as inTerminal } from '../../lib/cli/output/format.ts'

const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ')

test('sizes are those of the terminal', t => {
  const sizes = [0, 1, 1023, 1024, 1536, 1_048_571, 5e9, 2e18]
  t.deepEqual(sizes.map(formatBytes).map(plain), sizes.map(inTerminal))
  t.end()
})

test('the time left has its basis', t => {
  t.equal(plain(formatTimeLeft(842_000, 3.14)), '≈ 14 min at 3.1 pieces/min')
  t.equal(plain(formatTimeLeft(3_725_000, 0.5)), '≈ 1 h 2 min at 30 pieces/h')
  t.equal(plain(formatTimeLeft(42_000, null)), '≈ 42 s')
  t.deepEqual([1, 60, 119, 600].map(formatPieceRate).map(plain), ['1.0 pieces/min', '60 pieces/min', '119 pieces/min', '10 pieces/s'])
  t.deepEqual([1400, 42_000, 61_000, 7_200_000, 90_000_000].map(formatDuration).map(plain), ['1.4 s', '42 s', '1 min 1 s', '2 h', '1 d 1 h'])
  t.end()
})

test('never 100 % before the end, never 0 % after the beginning', t => {
  const far = [[0, 10], [1, 10], [999, 1000], [999_999, 1_000_000], [1, 1_000_000], [10, 10]] as const
  t.deepEqual(far.map(([done, total]) => plain(formatPercent(done, total))),
    ['0 %', '10 %', '99.9 %', '99.9 %', '< 0.1 %', '100 %'])
  t.equal(plain(formatCount(1_234_567)), '1 234 567')
  t.end()
})

test('text of strangers: nothing invisible is left of it', t => {
  t.equal(harmless('\x1b[31mred\x07 \u202egnp.exe\u200b'), '\\x1b[31mred\\x07 \\u{202e}gnp.exe\\u{200b}')
  t.equal(harmless('<b>a</b>\r\n\tb'), '<b>a</b>\n\tb')
  t.end()
})

test('events are read however they are cut', t => {
  const text = ': hello\n\nevent: live\ndata: {"a":1}\n\nevent: work\ndata: {"b":\ndata: 2}\n\nevent: li'
  for (const size of [1, 3, 7, 1000]) {
    const reader = new EventReader()
    const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size))
    t.deepEqual(parts.flatMap(part => reader.push(part)), [{ name: 'live', data: '{"a":1}' }, { name: 'work', data: '{"b":\n2}' }], `parts of ${size}`)
  }
  t.end()
})

test('the live region speaks at steps of ten percent', t => {
  const steps = [[5, 9], [9, 10], [10, 10], [10, 19], [19, 45], [99, 100]] as const
  t.deepEqual(steps.map(([before, now]) => announcement(before, now, 100)),
    [null, '10 percent done', null, null, '40 percent done', null])
  t.equal(announcement(0, 0, 0), null)
  t.end()
})

test('attempts in words', t => {
  t.equal(plain(outcomeOf({ at: 0, event: 'failed', ms: 1200, exitCode: 3 })), 'Failed after 1.2 s with exit code 3')
  t.equal(plain(outcomeOf({ at: 0, event: 'peerFailed', from: ['a:1'], signal: 'SIGKILL' })), 'Failed at a:1 by SIGKILL')
  t.equal(outcomeOf({ at: 0, event: 'checked', right: false }), 'Checked: wrong')
  t.end()
})

import test from 'tape'
import { describeTask } from '../../lib/cli/output/describe.ts'
import {
  escapeJson, escapeLines, escapeText, fit, formatBar, formatBytes, formatDuration, formatRate, plural, quote, wrap
} from '../../lib/cli/output/format.ts'
import { renderPlain } from '../../lib/cli/output/screen.ts'
import { createTask } from '../../lib/task/task.ts'

test('deceptive text is made visible', t => {
  const cases: Array<[string, string]> = [
    ['echo $((1+1)) | tr a-z A-Z', 'echo $((1+1)) | tr a-z A-Z'],
    ['grüße 数 🙂', 'grüße 数 🙂'],
    ['\u001b[2J', '\\x1b[2J'],
    ['a\0\t\r\n\u007f', 'a\\x00\\x09\\x0d\\x0a\\x7f'],
    ['\u009b31m', '\\x9b31m'],
    ['rm\u00a0x', 'rm\\xa0x'],
    ['\u202e\u2066\u200b\u2028\ufeff', '\\u{202e}\\u{2066}\\u{200b}\\u{2028}\\u{feff}'],
    ['\u{e0041}\ud800', '\\u{e0041}\\u{d800}']
  ]
  for (const [text, shown] of cases) t.equal(escapeText(text), shown, JSON.stringify(text))
  t.deepEqual(escapeLines('one\ntwo\r\n'), ['one', 'two\\x0d'], 'lines of a script')
  t.deepEqual(escapeLines('a\n\n\tb\u001b\n\n'), ['a', '', '    b\\x1b', ''], 'empty ones and indented ones, too')
  t.end()
})

test('lines are wrapped', t => {
  t.deepEqual(wrap('', 3), [''])
  t.deepEqual(wrap('abcdefg', 3), ['abc', 'def', 'g'])
  t.deepEqual(wrap('a数bc', 3), ['a数', 'bc'])
  t.deepEqual(wrap('abc', Infinity), ['abc'])
  t.deepEqual(
    wrap('rm -rf  /tmp/abcdefghijkl x', 10),
    ['rm -rf', '  /tmp/abc', 'defghijkl', ' x'],
    'between words; what is too long is cut'
  )
  t.deepEqual(quote('one two', '  │ ', 4), ['  │ one', '  ┆  two'], 'a continuation behind a bar is marked')
  t.end()
})

test('messages are broken between words, and units and flags stay whole', t => {
  const message =
    'it may use 1 h 5 min, 512 MiB of memory (100 %), --max-time 7200 and what --bind PATH:NAME shows, read-only'
  for (const columns of [20, 40, 80, 200]) {
    const lines = fit(message, columns)
    t.equal(lines.join(' '), message, `at ${columns} columns nothing is lost`)
    t.ok(lines.every(line => line.length <= columns), 'and every line fits')
    t.ok(lines.every(line => !/(?:\d|--max-time|--bind)$|^(?:h|min|MiB|%)\b/.test(line)), lines.join(' ⏎ '))
  }
  t.deepEqual(fit('  these are some more words', 22), ['  these are some more', '  words'], 'what is indented stays so')
  t.deepEqual(
    fit('see magnet:?xt=urn:btih:0123 or ask', 10),
    ['see', 'magnet:?xt=urn:btih:0123', 'or ask'],
    'what may be copied is left whole'
  )
  t.deepEqual(
    fit('a\n  │ echo one two three four five', 24),
    ['a', '  │ echo one two three', '  ┆  four five'],
    'what is quoted stays behind its bar'
  )
  t.deepEqual(fit('a b', undefined), ['a b'], 'without a terminal nothing is broken')
  t.end()
})

test('a command cannot pass for a line of the report', t => {
  const task = createTask({ name: 'x', parts: 1, command: `true #${' '.repeat(49)}  time limit  none` })
  const lines = describeTask(task, { columns: 70 })
  const command = lines.slice(
    lines.findIndex(line => line.startsWith('  command')), lines.findIndex(line => line.startsWith('  at the end'))
  )
  t.ok(command.length > 1)
  command.forEach((line, index) => { t.match(line, index === 0 ? /^.{14}│ / : /^.{14}┆ /) })
  t.ok(lines.every(line => line.length <= 70))
  t.end()
})

test('numbers for people', t => {
  const bytes: Array<[number, string]> = [
    [0, '0 B'], [1023, '1023 B'], [1024, '1 KiB'], [1536, '1.5 KiB'], [1048575, '1.0 MiB'], [200 * 1024 ** 3, '200 GiB']
  ]
  for (const [value, shown] of bytes) t.equal(formatBytes(value), shown, String(value))
  t.equal(formatRate(2 * 1024 ** 2), '2 MiB/s')
  const durations: Array<[number, string]> = [
    [0, '1 s'],
    [59_001, '1 min'],
    [3_600_000, '1 h'],
    [86_400_000, '1 d'],
    [90_000, '1 min 30 s'],
    [7_500_000, '2 h 5 min'],
    [180_000_000, '2 d 2 h']
  ]
  for (const [value, shown] of durations) t.equal(formatDuration(value), shown, String(value))
  t.equal(plural(1, 'piece'), '1 piece')
  t.equal(plural(0, 'piece'), '0 pieces')
  t.end()
})

test('the bar is full only when it is done', t => {
  t.equal(formatBar(0, 4), '░░░░')
  t.equal(formatBar(0.5, 4), '██░░')
  t.equal(formatBar(0.999, 4), '███░')
  t.equal(formatBar(1, 4), '████')
  t.end()
})

test('a plain line says everything', t => {
  const line = renderPlain({
    fraction: 0.426,
    pieces: { pieces: 64, stored: 27, computed: 12, downloaded: 15, running: 4, missing: 37, failed: 1 },
    peers: 1,
    downloadSpeed: 2048,
    uploadSpeed: 0,
    timeLeftMs: 80_000,
    state: null,
    remark: null,
    done: false
  })
  t.equal(
    line,
    '42 %, 12 computed here, 15 downloaded, 4 computing now, 37 missing, 1 failed here, 1 peer, ↓ 2 KiB/s, ↑ 0 B/s, 1 min 20 s left'
  )
  t.end()
})

test('JSON that can be shown', t => {
  const text = 'a\u009B31m\u007F\u202Eevil\u200B\u{E0041}\n"é😀'
  const json = escapeJson(JSON.stringify({ text }))
  t.deepEqual(JSON.parse(json), { text }, 'says the same')
  t.equal(json, '{"text":"a\\u009b31m\\u007f\\u202eevil\\u200b\\udb40\\udc41\\n\\"é😀"}')
  t.end()
})

test('the trackers that run is given are among those of the task', t => {
  const task = createTask({ name: 'x', command: 'true', parts: 1 })
  const trackers = (announce: string[]): string | undefined =>
    describeTask(task, { announce }).find(line => line.includes('trackers'))?.trim()
  t.match(trackers([]) ?? '', /^trackers +none$/)
  t.match(trackers(['http://127.0.0.1/']) ?? '', /^trackers +http:\/\/127\.0\.0\.1\/ \(--announce\)$/)
  t.end()
})

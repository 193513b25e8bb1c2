// What strangers can make us print is shown once, shortened, and not without end; nor do scripts get it without end.
import { EventEmitter } from 'node:events'
import test from 'tape'
import { describeFiles, report } from '../../lib/cli/run/events.ts'
import { lastLines, Remarks, restated } from '../../lib/cli/run/remarks.ts'

interface Record { remarks: Remarks, shown: string[], events: object[], clock: { ms: number } }

/** Remarks, what is shown of them, and what is emitted. */
function record (): Record {
  const [shown, events, clock]: [string[], object[], { ms: number }] = [[], [], { ms: 0 }]
  const out = { emit: (event: string, fields: object = {}) => { events.push({ event, ...fields }) } }
  return { remarks: new Remarks(text => { shown.push(text) }, out, () => clock.ms), shown, events, clock }
}

test('remarks: each once, a tracker that has a new one each time is heard no more, and after an hour again', t => {
  const { remarks, shown, clock } = record()
  for (let i = 0; i < 5; i++) remarks.add('warnings', ['warning: connection refused'])
  t.same(shown, ['warning: connection refused'])
  remarks.add('warnings', ['peer x broke a rule: a'], 'strike x')
  remarks.add('warnings', ['peer x broke a rule: b'], 'strike x')
  t.same(shown.splice(0), ['warning: connection refused', 'peer x broke a rule: a'], 'by topic')
  remarks.add('warnings', [`warning: \u001B]0;\n${'x'.repeat(100_000)}`])
  t.match(shown[0] ?? '', /^warning: \\x1b\]0;\\x0ax{480,500}…$/, 'long ones are cut, what a terminal obeys is escaped')
  for (let i = 0; i < 10_000; i++) remarks.add('warnings', [`warning: ${i}`])
  t.equal(shown.length, 19)
  t.match(shown.at(-1) ?? '', /No more/, 'and says so')
  remarks.add('failures', ['piece 1 failed', '  │ why'])
  t.equal(shown.pop(), 'piece 1 failed\n  │ why', 'what is of another kind is heard all the same')
  clock.ms += 3_600_000
  remarks.add('warnings', ['warning: connection refused'])
  t.equal(shown.length, 19, 'still known')
  for (let i = 0; i < 1_000; i++) remarks.add('warnings', [`warning: later ${i}`])
  t.equal(shown.length, 19 + 21)
  t.end()
})

test('events of strangers: a thousand of each type an hour, none of them long', t => {
  const { remarks, events, clock } = record()
  for (let i = 0; i < 5_000; i++) remarks.emit('strike', { peer: String(i), reason: 'x'.repeat(100_000) })
  t.equal(events.length, 1_001)
  t.ok(JSON.stringify(events).length < 700_000, 'shortened')
  t.same(events.at(-1), { event: 'omitted', of: 'strike' })
  remarks.emit('ban', { peer: 'x' })
  t.same(events.at(-1), { event: 'ban', peer: 'x' })
  clock.ms += 3_600_000
  remarks.emit('strike', { peer: 'y' })
  t.same(events.at(-1), { event: 'strike', peer: 'y' }, 'after an hour again')
  t.end()
})

test('the stderr of commands: some lines, none of them long', t => {
  const lines = lastLines(Array.from({ length: 1_000 }, (_, i) => `${i} ${'x'.repeat(10_000)}\u001B[2J`).join('\n'))
  t.equal(lines.length, 10)
  t.ok(lines.every(line => line.length < 520))
  t.match(lines.at(-1)!, /^ {2}│ 999 x+…$/)
  t.end()
})

test('warnings of packages say what is wrong and what to do', t => {
  t.match(restated('No nodes to query'), /^The DHT finds no peers: .* --no-dht\.$/)
  t.match(restated('addMembership ENODEV'), /^No peers are found on the local network: .* --no-lsd\.$/)
  t.match(restated('local service discovery: addMembership ENODEV'), /--no-lsd\.$/)
  t.equal(restated('http://x/: refused'), 'http://x/: refused')
  t.end()
})

test('of many finished files, the first ones are listed', t => {
  const files = Array.from({ length: 250 }, (_, i) => ({ path: `/out/x/${i}`, length: 1 }))
  const lines = describeFiles(files, '/out')
  t.same([lines.length, lines[0], lines[5]], [6, '  /out/x/0  1 B', '  … and 245 more in /out'])
  t.equal(describeFiles(files.slice(0, 5), '/out').length, 5)
  t.end()
})

test('an input that is lost to the command and to the peers is told once', t => {
  const { remarks, shown } = record()
  const torrent = Object.assign(new EventEmitter(), { numPeers: 0 })
  const session = { torrent, onWarning: (tell: (err: Error) => void) => { torrent.on('warning', tell) } }
  type Args = Parameters<typeof report>
  report(session as unknown as Args[0], {} as Args[1], { emit () {} } as unknown as Args[2], remarks)
  const message = 'The input "data" is not shared.'
  torrent.emit('warning', new Error(message))
  torrent.emit('input', { name: 'data', message })
  t.deepEqual(shown, [`Warning: ${message}`])
  t.end()
})

// What run says of failures and of work that does not end, without running anything.
import { stripVTControlCharacters } from 'node:util'
import test from 'tape'
import { formatParts, formatRanges } from '../../lib/cli/output/format.ts'
import { renderLive, renderPlain } from '../../lib/cli/output/screen.ts'
import type { Snapshot } from '../../lib/cli/output/screen.ts'
import { FailureReport } from '../../lib/cli/run/failures.ts'
import { WorkView } from '../../lib/cli/run/work-view.ts'
import { NO_COST } from '../../lib/base/errors.ts'
import type { FailedEvent } from '../../lib/session/events.ts'

/** A report whose notes and events are kept. */
function report (): { failures: FailureReport, notes: string[], events: object[] } {
  const notes: string[] = []
  const events: object[] = []
  const failures = new FailureReport({
    explain: ({ exitCode }) => exitCode === 127 ? 'x is elsewhere' : null,
    note: text => { notes.push(text) },
    remark: lines => { notes.push(lines.join('\n')) },
    emit: (event, fields) => { events.push({ event, ...fields }) }
  })
  return { failures, notes, events }
}

function failure (piece: number | null, exitCode: number, stderr = '', opts: Partial<FailedEvent> = {}): FailedEvent {
  const because = stderr === '' ? '' : `: ${stderr.split('\n').at(-1)}`
  return {
    piece,
    code: 'BW_ERR_COMMAND_EXIT',
    exitCode,
    signal: null,
    stderr,
    ...NO_COST,
    message: `The command exited with code ${exitCode}${because}`,
    final: true,
    ...opts
  }
}

test('many failures alike do not hide another one', t => {
  const { failures, notes, events } = report()
  for (let piece = 40; piece > 0; piece--) if (piece !== 7) failures.failed(failure(piece, 1, `no ${piece}`))
  failures.failed(
    failure(7, 0, '', {
      code: 'BW_ERR_COMMAND_TIMEOUT',
      exitCode: null,
      signal: 'SIGKILL',
      message: 'The command ran longer than its time limit of 3 s and was killed.'
    })
  )
  t.deepEqual(notes, [
    'Piece 40 failed permanently on this machine. The command exited with code 1: no 40',
    'Piece 7 failed permanently on this machine. The command ran longer than its time limit of 3 s and was killed.'
  ], 'each reason is shown once')
  failures.tell()
  t.equal(notes[2], [
    '40 pieces failed here:',
    '  pieces 1–6, 8–40: The command exited with code 1: no 40',
    '  piece 7: The command ran longer than its time limit of 3 s and was killed.',
    'Run the same command again to retry.'
  ].join('\n'))
  t.deepEqual(
    (events as Array<{ event: string, groups: Array<{ pieces: number[] }> }>).map(({ event, groups }) => [
      event, groups.map(({ pieces }) => pieces.length)
    ]),
    [['failures', [39, 1]]]
  )
  failures.tell()
  t.equal(notes.length, 3, 'what was told is not told again')
  t.end()
})

test('a piece that failed and arrived after all is no failure', t => {
  const { failures, notes } = report()
  failures.failed(failure(3, 1, '', { final: false }))
  failures.failed(failure(3, 2, '', { final: true }))
  failures.failed(failure(4, 1, '', { final: false }))
  failures.recovered(4)
  notes.length = 0
  failures.tell()
  t.match(notes[0]!, /^1 piece failed here:\n {2}piece 3: .*code 2\n/, 'by its last reason')
  failures.recovered(3)
  failures.tell()
  t.equal(notes.length, 1)
  t.end()
})

test('stderr stands there once, and the likely cause beside it', t => {
  const { failures, notes } = report()
  failures.failed(failure(0, 127, 'x: not found'))
  failures.failed(failure(1, 3, 'one\ntwo'))
  failures.failed(failure(null, 3, 'merge', { file: 0 }))
  t.deepEqual(notes, [
    'Piece 0 failed permanently on this machine. The command exited with code 127: x: not found\n  x is elsewhere',
    'Piece 1 failed permanently on this machine. The command exited with code 3.\n  │ one\n  │ two',
    'The complete command of file 0 failed permanently on this machine. The command exited with code 3: merge'
  ])
  failures.tell()
  t.match(
    notes[3]!, /piece 0: .*127: x: not found\n {4}x is elsewhere\n {2}piece 1: .*\n {2}The complete command of file 0: /
  )
  t.match(
    failures.describeHopeless({
      code: 'BW_ERR_HOPELESS',
      message: 'all alike: x: not found',
      pieces: [0],
      exitCode: 127,
      signal: null,
      stderr: 'x: not found'
    }),
    /^all alike: x: not found\n {2}x is elsewhere$/
  )
  t.end()
})

test('thousands of reasons are neither all listed nor all stored', t => {
  const { failures, notes, events } = report()
  for (let file = 0; file < 5_000; file++) failures.failed(failure(null, 1, 'x'.repeat(50_000), { file }))
  notes.length = 0
  failures.tell()
  t.equal(notes.length, 1)
  t.ok(notes[0]!.length < 20_000, `${notes[0]!.length} characters`)
  t.match(notes[0]!, /… and 4980 more reasons\n/)
  t.ok(JSON.stringify(events).length < 1_000_000)
  t.end()
})

test('ranges', t => {
  t.equal(formatRanges([]), '')
  t.equal(formatRanges([5]), '5')
  t.equal(formatRanges([0, 1, 2, 5, 7, 8]), '0–2, 5, 7–8')
  t.equal(formatRanges([0, 2, 4, 6, 7, 8], 2), '0, 2, … and 4 more')
  t.end()
})

test('work that does not end is named, and the complete command says that it runs', t => {
  const view = new WorkView()
  view.begun(17, 0)
  t.equal(view.remarkAt(60_000), null, 'nobody knows what is usual')
  t.equal(view.remarkAt(12 * 60_000), 'piece 17 has run for 12 min (none has ended yet)')
  for (let piece = 0; piece < 5; piece++) {
    view.begun(piece, 0)
    view.ended(piece, 3000)
  }
  t.equal(view.remarkAt(29_000), null)
  t.equal(view.remarkAt(12 * 60_000), 'piece 17 has run for 12 min (usual: 3 s)')
  view.ended(17)
  t.equal(view.remarkAt(12 * 60_000), null)
  view.completing(1, 3, 1000)
  t.equal(view.stateAt(183_000), 'complete command 2 of 3 has run for 3 min 2 s')
  view.completed()
  view.state = 'stuck'
  t.equal(view.stateAt(0), 'stuck')
  view.begun(3, 0)
  t.equal(view.stateAt(0), null, 'until work goes on')
  t.end()
})

const SNAPSHOT: Snapshot = {
  fraction: 0.99,
  pieces: { pieces: 12_000, stored: 11_900, computed: 8000, downloaded: 3900, running: 16, missing: 100, failed: 12 },
  peers: 12,
  downloadSpeed: 1_500_000,
  uploadSpeed: 1_500_000,
  timeLeftMs: null,
  state: null,
  remark: 'piece 17 has run for 12 min (usual: 3 s)',
  done: false
}

test('the live view breaks between its parts only', t => {
  for (const columns of [120, 80, 60]) {
    const lines = stripVTControlCharacters(renderLive(SNAPSHOT, columns)).split('\n')
    t.ok(
      lines.every(({ length }) => length <= columns),
      `${columns} columns: ${lines.map(({ length }) => length).join(', ')}`
    )
    t.match(lines[0]!, /^█+░ 99 % {2}11900\/12000 pieces {2}time left unknown$/)
    t.equal(lines.at(-1), SNAPSHOT.remark)
  }
  const narrow = renderLive({ ...SNAPSHOT, state: 'complete command has run for 12 h 10 min' }, 40).split('\n')
  t.ok(narrow.every(({ length }) => length <= 40), 'without a bar where there is no room')
  t.equal(formatParts(['aa', 'bb', 'cc'], 7), 'aa · bb\ncc')
  t.match(renderPlain({ ...SNAPSHOT, state: 'stuck' }), /, stuck, piece 17 has run/)
  t.end()
})

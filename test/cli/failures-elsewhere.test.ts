// A task of a hundred pieces on three machines, twelve of which fail: its author sees them all, wherever they ran.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const PIECES = 100
const HANGS = 50
const WRITES = 60
const EXITS = [3, 13, 23, 33, 43, 53, 63, 73, 83, 93]
const FAILING = [...EXITS, HANGS, WRITES].sort((a, b) => a - b)
const COMMAND = `if [ -e cause/broken ]; then case $PIECE_IDX in
  ${HANGS}) echo "I hang" >&2; sleep 1000;;
  ${WRITES}) echo "I write" >&2; head -c 5000 /dev/zero;;
  *3) echo "start $PIECE_IDX" >&2; echo "no pixel in $PIECE_IDX" >&2; exit 1;;
esac; fi
echo $PIECE_IDX`

test('ten exit 1, one hangs, one writes too much: the author sees why, and retries them', async t => {
  const { dir, run, start } = await workspace(t)
  mkdirSync(path.join(dir, 'cause'))
  writeFileSync(path.join(dir, 'cause/broken'), '')
  const made = await run([
    'create', '--no-try', '--name', 'x', '--parts', `${PIECES}`, '--piece-length', '1024', '--timeout', '8', '--command', COMMAND
  ])
  t.equal(made.code, 0, made.stderr)
  // with so many slots it is not mistaken for a task of which everything fails; checks of others' results are work, too
  const flags = ['--yes', '--exit', '--json', '-j', '8', '--verify', 'off', '--bind', 'cause:cause', ...OFFLINE]
  const author = start(['run', 'x.bitworker', '-o', 'author', ...flags])
  const peer = `127.0.0.1:${String((await author.event('listening'))['port'])}`
  const others = ['two', 'three'].map(name => start(['run', 'x.bitworker', '-o', name, '--peer', peer, ...flags]))
  const ends = await Promise.all([author, ...others].map(each => each.ended))
  t.deepEqual(ends.map(({ code }) => code), [1, 1, 1], ends[0]!.stderr)
  t.match(ends[0]!.stderr, /cannot be finished for now: nobody has or computes 12 pieces, and other peers have given up 12 of them/)

  const { events, stdout } = await run(['log', 'x.bitworker', '-o', 'author', '--failed', '--json'])
  const piecesBy = (name: string): number[] =>
    events.filter(({ event }) => event === name).map(({ piece }) => Number(piece))
  t.deepEqual([...new Set(piecesBy('failed'))], FAILING, 'those that failed here')
  t.deepEqual([...new Set(piecesBy('peerFailed'))], FAILING, 'those that failed elsewhere')
  for (const entry of events) {
    const { piece, code, exitCode, stderr, event, from } = entry
    const [expected, line] = piece === HANGS
      ? ['BW_ERR_COMMAND_TIMEOUT', 'I hang']
      : piece === WRITES ? ['BW_ERR_COMMAND_OUTPUT', 'I write'] : ['BW_ERR_COMMAND_EXIT', `no pixel in ${String(piece)}`]
    t.equal(code, expected, `${String(piece)}: ${stdout === '' ? '' : event}`)
    t.equal(String(stderr).split('\n').at(-1), line)
    if (code === 'BW_ERR_COMMAND_EXIT') t.equal(exitCode, 1)
    if (event === 'peerFailed') t.match(String(from), /^(?:::ffff:)?127\.0\.0\.1:\d+$/)
  }
  const text = await run(['log', 'author', '--failed'])
  t.match(text.stdout, /\n +53 .* exit 1 +here\n {8}The command exited with code 1\.\n {8}│ no pixel in 53\n/)
  t.match(text.stdout, /\n +50 .* time-out +127\.0\.0\.1:\d+\n/)
  t.doesNotMatch(text.stdout, /^.{81}/m, 'fits')

  rmSync(path.join(dir, 'cause/broken'))
  const again = await run(['run', 'x.bitworker', '-o', 'author', '--retry-failed', ...flags])
  t.equal(again.code, 0, again.stderr)
  const computed = again.events.filter(({ event }) => event === 'computing').map(({ piece }) => Number(piece))
  t.deepEqual(computed.sort((a, b) => a - b), FAILING, 'nothing else is computed again')
  t.equal(readFileSync(path.join(dir, 'author/x'), 'utf8'), Array.from({ length: PIECES }, (_, i) => `${i}\n`).join(''))
  t.match((await run(['log', 'author', '--failed'])).stderr, /^No missing piece has failed\.\n$/)
})

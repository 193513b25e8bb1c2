// Who lies is found and named, and what cannot be meant is refused.
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent } from '../helpers/cli.ts'
import { portOf } from '../helpers/runs.ts'

/** On the machine of a liar there is a file that it shows to the command. */
const COMMAND = 'if [ -e lie ]; then echo 999; else sleep 0.1; echo $((PIECE_IDX*PIECE_IDX)); fi'
const PIECES = 12
const RIGHT = Array.from({ length: PIECES }, (_, piece) => `${piece * piece}\n`).join('')

/** Takes part in the task; the name is that of the output folder. */
function taking (name: string, ...more: string[]): string[] {
  return ['run', 'squares.bitworker', '--yes', '--json', '-j', '1', '-o', name, ...more, ...OFFLINE]
}

test('a liar is found by lot, and named', async t => {
  const { dir, run, start } = await workspace(t)
  await writeFile(path.join(dir, 'lie'), '')
  await run(['create', '--no-try', '--name', 'squares', '--parts', String(PIECES), '--command', COMMAND])
  const liar = start(taking('s', '--bind', 'lie', '--verify', 'audit'))
  await liar.event('done')
  const honest = start(taking('a', '--peer', await portOf(liar), '--verify', 'audit'))
  const excluded = await honest.event('excluded')
  await honest.event('done')
  t.match(String(excluded['key']), /^[0-9a-f]{64}$/)
  t.equal(await readFile(path.join(dir, 'a/squares'), 'utf8'), RIGHT)
  t.ok(honest.events.some(({ event, right }) => event === 'checked' && right === false))
  t.match(honest.stderr(), /^The peer key [0-9a-f]{16}… is excluded: /m)
})

test('who sends what the verify command finds wrong is named', async t => {
  const { dir, run, start } = await workspace(t)
  await writeFile(path.join(dir, 'lie'), '')
  await run([
    'create', '--no-try', '--name', 'squares', '--parts', String(PIECES), '--command', COMMAND,
    '--verify-command', 'read -r n; ((n == PIECE_IDX * PIECE_IDX))'
  ])
  const liar = start(taking('s', '--bind', 'lie', '--verify', 'off'))
  await liar.event('done')
  const at = await portOf(liar)
  const honest = start(taking('a', '--peer', at, '--exit'))
  t.equal((await honest.ended).code, 0)
  t.equal(await readFile(path.join(dir, 'a/squares'), 'utf8'), RIGHT)
  const wrong = honest.events.filter(({ event }) => event === 'checked')
  t.ok(wrong.length > 0)
  const [{ piece, ...rest }] = wrong as [JsonEvent]
  t.same(rest, { event: 'checked', right: false, by: 'verify', key: null, peers: [at] })
  t.match(honest.stderr(), new RegExp(`^Piece ${String(piece)}: the verify command finds the result of ${at} wrong\\. Wrong results are not used\\.$`, 'm'))
  t.match(honest.stderr(), new RegExp(`^${wrong.length} wrong results? of 1 peer found \\(${at}: ${wrong.length}\\)$`, 'm'))
})

test('what cannot be meant is refused in a sentence', async t => {
  const { run } = await workspace(t)
  await run(['create', '--no-try', '--name', 'x', '--parts', '2', '--command', 'echo $RANDOM', '--not-deterministic'])
  for (const [args, says] of [
    [['--verify', 'quorum'], /Invalid policy: a quorum is a number from 2 to 16\. Give quorum=2\.$/m],
    [['--verify', 'some'], /"some" is not a policy\. Give off, audit,/],
    [['--verify', 'trust'], /no trusted key is known\. Name one\./],
    [['--verify', 'audit'], /differ from run to run, so the policy audit cannot compare them\. Choose trust, all or off\./],
    [['--checker', 'abc'], /abc: This is neither a public key \(64 hex digits\) nor a file\. Check it\./],
    [['--member', 'nothing.key'], /nothing\.key/],
    [['--members-only', '--verify', 'audit'], /no trusted key is known, so that everybody would be refused\. Name a key\./]
  ] as const) {
    const { code, stderr } = await run(['run', 'x.bitworker', '--yes', '--exit', ...args, ...OFFLINE])
    t.equal(code, 2, args.join(' '))
    t.match(stderr, says)
  }
})

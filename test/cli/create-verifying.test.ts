// What `create` says about verifying results, and what `info` shows of it.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--no-try', '--json', '--name', 'x', '--parts', '3', '--command', 'echo $PIECE_IDX']

test('create --verify-command, --compare-command, --checker', async t => {
  const { dir, run } = await workspace(t)
  for (const name of ['a', 'b']) t.equal((await run(['keygen', '-o', `${name}.key`])).code, 0)
  const [, a = ''] = (await readFile(path.join(dir, 'a.pub'), 'utf8')).split(/\s/)
  const [, b = ''] = (await readFile(path.join(dir, 'b.pub'), 'utf8')).split(/\s/)
  const made = await run([
    ...CREATE, '--verify-command', 'grep -qx "$PIECE_IDX" #\u001b', '--verify-timeout', '5',
    '--compare-command', 'cmp -s a b', '--not-deterministic', '--sign', '--key', 'a.key', '--checker', 'b.pub', '--checker'
  ])
  const fields = {
    verifyCommand: 'grep -qx "$PIECE_IDX" #\u001b',
    verifyTimeout: 5,
    compareCommand: 'cmp -s a b',
    deterministic: false,
    checkers: [b, a]
  }
  t.equal(made.code, 0, made.stderr)
  const created = made.events[0]!
  for (const [key, value] of Object.entries(fields)) t.same(created[key], value, `${key}, the signing key among the checkers`)
  t.equal(created['signer'], a)
  t.match((await run(['info', 'x.bitworker'])).stdout, new RegExp([
    ' {2}verifies {4}│ grep -qx "\\$PIECE_IDX" #\\\\x1b', ' {2}compares {4}│ cmp -s a b', ' {2}results {5}not the same each time',
    ` {2}checkers {4}${b}`, ` {14}${a}`, ''
  ].join('\\n')), 'shown as the command is')

  const same = await run([...CREATE, '--sign', '--key', 'a.key', '-o', 'y.bitworker'])
  t.equal(same.events[0]?.['checkers'], undefined, 'a signature alone makes no checker')
})

test('flags of verifying that do not fit', async t => {
  const { run } = await workspace(t)
  await run(['keygen', '-o', 'a.key'])
  const wrong: Array<[flags: string[], says: RegExp]> = [
    [['--verify-timeout', '5'], /Pass --verify-command CMD as well\./],
    [['--verify-command', ' '], /The task's verify command is empty\./],
    [['--verify-command', 'true', '--verify-timeout', '40000000'], /verify timeout is 40000000 s.*Choose another .*--verify-timeout\./],
    [['--deterministic', '--not-deterministic'], /contradict each other/],
    [['--deterministic', '--compare-command', 'cmp a b'], /nothing for --compare-command to do/],
    [['--checker'], /means the one that signs\. Pass --sign as well/],
    [['--checker', 'a.key'], /not a public key but a secret one/],
    [['--checker', 'nobody'], /neither a public key \(64 hex digits\) nor a file/],
    [['--checker', '0'.repeat(64)], /one of the eight weak keys/]
  ]
  for (const [flags, says] of wrong) {
    const { code, stderr } = await run([...CREATE, ...flags])
    t.equal(code, 2, flags.join(' '))
    t.match(stderr, says)
  }
})

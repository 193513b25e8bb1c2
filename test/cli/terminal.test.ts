import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Ended, Workspace } from '../helpers/cli.ts'

const QUESTION = /Run this command on your machine\?/
const RUN = ['run', 'squares.bitworker', '--exit', ...OFFLINE]

/** Runs a task on a terminal and answers the question. */
async function answer (t: Test, keys: string): Promise<{ files: Workspace, ended: Ended }> {
  const files = await workspace(t)
  await files.run(['create', '--name', 'squares', '--parts', '4', '--command', 'echo $((PIECE_IDX*PIECE_IDX))'])
  const run = files.start(RUN, { terminal: true })
  await run.output(QUESTION)
  run.stdin.write(keys)
  return { files, ended: await run.ended }
}

test('a yes runs the command and shows how it comes on', async t => {
  const { files, ended: { code, stdout } } = await answer(t, 'y')
  t.equal(code, 0, stdout)
  t.equal(await readFile(path.join(files.dir, 'squares'), 'utf8'), '0\n1\n4\n9\n')
  t.ok(
    stdout.indexOf('echo $((PIECE_IDX*PIECE_IDX))') < stdout.search(QUESTION), 'the command comes before the question'
  )
  t.match(stdout, /█{30}.* 100 % {2}4\/4 pieces {2}done/, 'a full bar')
  t.match(stdout, /4 computed here · 0 downloaded/)
})

for (const [what, keys, expected, says] of [
  ['a no', 'n', 2, /bitworker:.* You declined/],
  ['the default answer', '\r', 2, /bitworker:.* You declined/],
  ['Ctrl-D', '\u0004', 2, /bitworker:.* You declined/],
  ['Ctrl-C', '\u0003', 130, /Interrupted/]
] as const) {
  test(`${what} runs nothing`, async t => {
    const { files, ended: { code, stdout } } = await answer(t, keys)
    t.equal(code, expected, stdout)
    t.match(stdout, says)
    t.notOk(existsSync(path.join(files.dir, 'squares')))
  })
}

test('a stop while it asks is the last that is shown', async t => {
  const files = await workspace(t)
  await files.run(['create', '--name', 'squares', '--parts', '4', '--command', 'echo'])
  const run = files.start(['run', 'squares.bitworker', ...OFFLINE], { terminal: true })
  await run.output(QUESTION)
  // run.pid is script(1)'s, and ours its only child's
  process.kill(Number(await readFile(`/proc/${run.pid}/task/${run.pid}/children`, 'utf8')), 'SIGTERM')
  const { code, stdout } = await run.ended
  t.equal(code, 130)
  t.doesNotMatch(stdout, /0\/4 pieces/, 'no bar after it')
})

test('no colours where they are not wanted', async t => {
  const { run } = await workspace(t)
  const wanted = await run(['info', 'nothing'], { terminal: true, env: { NO_COLOR: '', TERM: 'xterm' } })
  const unwanted = await run(['info', 'nothing'], { terminal: true, env: { NO_COLOR: '1', TERM: 'xterm' } })
  t.ok(wanted.stdout.includes('\u001b[31m'), 'a terminal gets them')
  t.notOk(unwanted.stdout.includes('\u001b'), 'unless NO_COLOR is set')
})

test('a terminal that cannot move its cursor gets plain lines; a stop after the end is no stop', async t => {
  const files = await workspace(t)
  await files.run(['create', '--name', 'squares', '--parts', '4', '--command', 'echo'])
  const run = files.start(['run', 'squares.bitworker', '--yes', ...OFFLINE], { terminal: true, env: { TERM: 'dumb' } })
  await run.output(/Seeding to other peers/)
  process.kill(Number(await readFile(`/proc/${run.pid}/task/${run.pid}/children`, 'utf8')), 'SIGINT')
  const { stdout } = await run.ended
  t.match(stdout, /100 %, 4 computed here/)
  t.notOk(stdout.includes('\u001b['), 'no control sequences')
  t.doesNotMatch(stdout, /Run the same command again to resume/)
})

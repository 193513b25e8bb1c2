// `bitworker cat`: the bytes of the finished file, in order, while they are computed, and what ends it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Workspace } from '../helpers/cli.ts'

const MAIN = new URL('../../lib/cli/main.ts', import.meta.url).pathname
const PARTS = 60
const TEXT = Array.from({ length: PARTS }, (_, i) => `part ${i}\n`).join('')
const CAT = ['cat', 'out.txt.bitworker', '--yes', ...OFFLINE]

async function create (work: Workspace, command: string, parts = PARTS): Promise<void> {
  const { code, stderr } = await work.run(['create', '--name', 'out.txt', '--parts', String(parts), '--piece-length', '1K',
    '--command', command])
  if (code !== 0) throw new Error(stderr)
}

test('cat of a task that four peers compute', async t => {
  const work = await workspace(t)
  const gate = path.join(work.dir, 'gate')
  await mkdir(gate)
  // a tenth of the pieces, and no more, is done before the gate is opened
  await create(work, `until [ $PIECE_IDX -lt ${PARTS / 10} -o -e gate/open ]; do sleep 0.05; done; echo "part $PIECE_IDX"`)
  const flags = ['-j', '1', '--bind', gate]
  for (const name of ['a', 'b', 'c', 'd']) {
    const run = work.start(['run', 'out.txt.bitworker', '-o', name, '--yes', '--json', ...OFFLINE, ...flags])
    flags.push('--peer', `127.0.0.1:${String((await run.event('listening'))['port'])}`)
  }
  const reading = work.start([...CAT, '-o', 'e', ...flags])
  await reading.output(/^part 0\n/m)
  await writeFile(path.join(gate, 'open'), '')
  const { code, stdout, stderr } = await reading.ended
  t.deepEqual([code, stdout], [0, TEXT], 'the bytes of the finished file')
  t.match(stderr, /^Warning: What --bind shows [^\n]*\n$/, 'nothing else')
  t.equal(await readFile(path.join(work.dir, 'e/out.txt'), 'utf8'), TEXT, 'which is made as well')
})

test('a reader that leaves ends it cleanly', async t => {
  const work = await workspace(t)
  // nothing follows that could be written
  await create(work, 'if [ $PIECE_IDX -gt 0 ]; then sleep 1000; fi; echo "part $PIECE_IDX"', 3)
  const child = spawn('bash', ['-c', `'${process.execPath}' '${MAIN}' ${CAT.join(' ')} -j 2 | head -c 1; echo " $\{PIPESTATUS[*]}"`],
    { cwd: work.dir, env: { ...process.env, HOME: work.dir } })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  await once(child, 'close')
  t.deepEqual([stdout, stderr], ['p 0 0\n', ''])
})

test('where a client runs the task already', async t => {
  const work = await workspace(t)
  await create(work, 'sleep 0.3; echo "part $PIECE_IDX"', 6)
  const run = work.start(['run', 'out.txt.bitworker', '-j', '1', '--yes', '--json', ...OFFLINE])
  await run.event('computed')
  const reading = work.start(['cat', 'out.txt.bitworker'])
  await reading.output(/^part 0\n/)
  const { code, stdout, stderr } = await reading.ended
  t.deepEqual([code, stdout, stderr], [0, TEXT.slice(0, 6 * 7), ''], 'without --yes: nothing is run by this one')
})

test('when that client ends, cat goes on by itself', async t => {
  const work = await workspace(t)
  await create(work, 'sleep 0.5; echo "part $PIECE_IDX"', 6)
  const run = work.start(['run', 'out.txt.bitworker', '-j', '1', '--yes', '--json', ...OFFLINE])
  await run.event('computed')
  const reading = work.start([...CAT, '-j', '1'])
  await reading.output(/^part 0\n/)
  run.kill('SIGINT')
  t.deepEqual(await reading.ended.then(({ code, stdout, stderr }) => [code, stdout, stderr]), [0, TEXT.slice(0, 6 * 7), ''])
})

test('of a finished task, nothing is run', async t => {
  const work = await workspace(t)
  await create(work, 'echo "part $PIECE_IDX"', 6)
  await work.run(['run', 'out.txt.bitworker', '--yes', '--exit', ...OFFLINE])
  const { code, stdout, stderr } = await work.run(['cat', 'out.txt.bitworker'])
  t.deepEqual([code, stdout, stderr], [0, TEXT.slice(0, 6 * 7), ''])
})

test('one file of several', async t => {
  const work = await workspace(t)
  await work.run(['create', '--name', 'two', '--file', 'left:3', '--file', 'right:2', '--command', 'echo "$FILE_IDX $PART_IDX"'])
  const cat = ['cat', 'two.bitworker', '--yes', ...OFFLINE]
  const right = await work.run([...cat, 'right'])
  t.deepEqual([right.code, right.stdout, right.stderr], [0, '1 0\n1 1\n', ''])
  t.equal((await work.run(['status', '--json'])).events[0]?.['stored'], 2, 'the other one is not computed')
  t.equal((await work.run(cat)).stdout, '0 0\n0 1\n0 2\n1 0\n1 1\n')
  const wrong = await work.run([...cat, 'middle'])
  t.deepEqual([wrong.code, wrong.stdout], [2, ''])
  t.match(wrong.stderr, /^bitworker: The task has no file middle\. It has two\/left, two\/right\.\n$/)
})

test('pieces that fail end it', async t => {
  const work = await workspace(t)
  await create(work, 'echo "part $PIECE_IDX"; test $PIECE_IDX != 2 || { echo no luck >&2; exit 3; }', 4)
  const { code, stdout, stderr } = await work.run(CAT)
  t.deepEqual([code, stdout], [1, 'part 0\npart 1\n'])
  t.match(stderr, /no luck/)
})

// After a correction: results that the author vouches for are those of the new task.
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Ended } from '../helpers/cli.ts'

const CREATE = ['create', '--no-try', '--json', '--piece-length', '64']

test('create --reuse', async t => {
  const { dir, run } = await workspace(t)
  t.equal((await run([...CREATE, '--name', 'x', '--parts', '6', '--command', 'echo old $PIECE_IDX'])).code, 0)
  t.equal((await run(['run', 'x.bitworker', '-o', 'old', '--yes', '--exit', ...OFFLINE])).code, 0)
  const fixed = [...CREATE, '--name', 'x', '--parts', '6', '--command', 'echo new $PIECE_IDX', '-o', 'fixed.bitworker']
  const made = await run([...fixed, '--reuse', 'x.bitworker', '--reuse-dir', 'old', '--pieces', '0-1,4,9', '--into', 'new'])
  t.equal(made.code, 0, made.stderr)
  t.same(made.events.find(({ event }) => event === 'reused')?.['pieces'], [0, 1, 4])
  t.match(made.stderr, /^reused {5}3 pieces \(0–1, 4\); run it with -o new$/m)
  const finished = await run(['run', 'fixed.bitworker', '-o', 'new', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(finished.code, 0, finished.stderr)
  t.same(finished.events.filter(({ event }) => event === 'computed').map(({ piece }) => Number(piece)).sort((a, b) => a - b), [2, 3, 5])
  t.equal(await readFile(path.join(dir, 'new/x'), 'utf8'), 'old 0\nold 1\nnew 2\nnew 3\nold 4\nnew 5\n')
  t.equal(await readFile(path.join(dir, 'old/x'), 'utf8').then(text => text.split('\n')[5]), 'old 5', 'the old ones are untouched')

  for (const [flags, code, says] of [
    [['--reuse', 'x.bitworker', '--reuse-dir', 'old', '--into', 'old'], 2, /old\/x already exists: BitWorker did not write it, or it has changed since\. Move it away, or choose another folder with --into\.\n$/],
    [['--reuse', 'x.bitworker', '--reuse-dir', 'old', '--parts', '3', '--into', 'three'], 2, /Piece 3 cannot be reused: the new task has only 3 pieces\. Leave it out with --pieces\.\n$/],
    [['--reuse', 'x.bitworker', '--pieces', '5-4'], 2, /numbers of pieces, such as 0-99,120/],
    [['--reuse', 'x.bitworker', '--reuse-dir', 'old', '--piece-length', '5', '--into', 'short'], 2, /Piece 0 cannot be reused: it has 6 bytes, and the new task's pieces have at most 5\./],
    [['--reuse', 'fixed.bitworker', '--reuse-dir', 'new', '--into', 'newer'], 2, /is the same as the new one/],
    [['--pieces', '1'], 2, /Pass --reuse TASK as well/],
    [['--into', 'new'], 2, /Pass --reuse TASK as well/],
    [['--reuse', 'magnet:?xt=urn:btih:0123456789012345678901234567890123456789'], 2, /Only the results of a task file/]
  ] as const) {
    const refused = await run([...fixed, '-o', 'refused.bitworker', ...flags])
    t.equal(refused.code, code)
    t.match(refused.stderr, says)
    t.notOk(existsSync(path.join(dir, 'refused.bitworker')), 'and no task file is written')
  }
  const none = await run([...fixed, '--force', '--reuse', 'x.bitworker', '--reuse-dir', 'nowhere', '--into', 'empty'])
  t.notOk(existsSync(path.join(dir, 'nowhere')), 'no folder is made')
  t.same([none.code, none.events.find(({ event }) => event === 'reused')?.['pieces']], [0, []])
})

test('create --reuse: only the very bytes that were stored', async t => {
  const { dir, run } = await workspace(t)
  const create = [...CREATE, '--name', 'x', '--parts', '4']
  // piece 1 is empty
  t.equal((await run([...create, '--command', '[[ $PIECE_IDX = 1 ]] || echo old $PIECE_IDX'])).code, 0)
  t.equal((await run(['run', 'x.bitworker', '-o', 'old', '--yes', '--exit', ...OFFLINE])).code, 0)
  // of another size, and one piece in it is another
  await writeFile(path.join(dir, 'old/x'), 'old 0\nOLD 2\nold 3\nmore\n')
  const fixed = [...create, '--command', 'echo new $PIECE_IDX', '--reuse', 'x.bitworker', '--reuse-dir', 'old', '--into', 'new']
  const made = await run([...fixed, '-o', 'fixed.bitworker'])
  t.equal(made.code, 0, made.stderr)
  t.same(reusedOf(made), { pieces: [0, 1, 3], damaged: [2], kept: [] })
  t.match(made.stderr, /^damaged {4}1 piece \(2\): not reused, to be computed$/m)
  t.equal((await run(['run', 'fixed.bitworker', '-o', 'new', '--yes', '--exit', ...OFFLINE])).code, 0)
  t.equal(await readFile(path.join(dir, 'new/x'), 'utf8'), 'old 0\nnew 2\nold 3\n')

  await run(['run', 'x.bitworker', '-o', 'again', '--yes', '--exit', ...OFFLINE])
  const again = await run([...fixed, '-o', 'again.bitworker', '--reuse-dir', 'again'])
  t.same(reusedOf(again), { pieces: [0, 1, 3], damaged: [], kept: [2] }, 'what the new folder has stays')
  t.match(again.stderr, /^not reused 1 piece \(2\): new has other results of them$/m)
})

test('create --reuse: a piece is the same part of the same file', async t => {
  const { dir, run } = await workspace(t)
  const create = [...CREATE, '--name', 'x', '--command', 'echo $FILE $PART_IDX']
  t.equal((await run([...create, '--file', 'a:2', '--file', 'b:2'])).code, 0)
  t.equal((await run(['run', 'x.bitworker', '-o', 'old', '--yes', '--exit', ...OFFLINE])).code, 0)
  const reuse = ['--reuse', 'x.bitworker', '--reuse-dir', 'old', '-o', 'fixed.bitworker', '--into', 'new']
  for (const [files, says] of [
    [['--file', 'a:3', '--file', 'b:2'], /Piece 2 cannot be reused: it was part 0 of b, and is part 2 of a in the new task\./],
    [['--file', 'b:2', '--file', 'a:2'], /Piece 0 cannot be reused: it was part 0 of a, and is part 0 of b in the new task\./],
    [['--file', 'a:4'], /Piece 2 cannot be reused: it was part 0 of b, and is part 2 of a in the new task\./],
    [['--parts', '4'], /Piece 0 cannot be reused: it was part 0 of a, and is part 0 of its only file in the new task\./]
  ] as const) {
    const refused = await run([...create, ...files, ...reuse])
    t.equal(refused.code, 2)
    t.match(refused.stderr, says)
    t.notOk(existsSync(path.join(dir, 'new')), 'nothing is made')
  }
  const some = await run([...create, '--file', 'a:3', '--file', 'b:2', ...reuse, '--pieces', '0-1'])
  t.same(reusedOf(some)['pieces'], [0, 1], 'those that are the same')
  const more = await run([...create, '--name', 'y', '--file', 'a:2', '--file', 'b:5', ...reuse, '-o', 'y.bitworker'])
  t.same(reusedOf(more)['pieces'], [0, 1, 2, 3], 'more parts at the end, another name of the task')
})

test('create --reuse: pieces that get something else are named', async t => {
  const { dir, run } = await workspace(t)
  const create = [...CREATE, '--name', 'x', '--command', 'echo $ENTRY']
  t.equal((await run([...create, ':::', 'a', 'b'])).code, 0)
  t.equal((await run(['run', 'x.bitworker', '-o', 'old', '--yes', '--exit', ...OFFLINE])).code, 0)
  const reuse = [...create, '--reuse', 'x.bitworker', '--reuse-dir', 'old', '-o', 'fixed.bitworker', '--into', 'new']
  const refused = await run([...reuse, '--parts', '2'])
  t.equal(refused.code, 2)
  t.match(refused.stderr, /The two tasks give their pieces different inputs, which cannot be compared\. Name the pieces that stay the same with --pieces\./)
  t.same(reusedOf(await run([...reuse, '--pieces', '0', ':::', 'a', 'x', 'b']))['pieces'], [0])
  t.equal((await run(['run', 'fixed.bitworker', '-o', 'new', '--yes', '--exit', ...OFFLINE])).code, 0)
  t.equal(await readFile(path.join(dir, 'new/x'), 'utf8'), 'a\nx\nb\n')
  const corrected = await run([...reuse, '-o', 'c.bitworker', '--into', 'c', ':::', 'z', 'b', 'c'])
  t.same(reusedOf(corrected)['pieces'], [1], 'a corrected entry costs only its piece')
  const shifted = await run([...reuse, '-o', 'd.bitworker', '--into', 'd', ':::', 'x', 'a', 'b'])
  t.same(reusedOf(shifted)['pieces'], [], 'of entries that moved, none')
  const same = await run([...reuse, '--comment', 'another', '--timeout', '9', '-o', 'same.bitworker', '--into', 'same', ':::', 'a', 'b'])
  t.same(reusedOf(same)['pieces'], [0, 1], same.stderr)
})

function reusedOf ({ events }: Ended): Record<string, unknown> {
  const { event: _event, time: _time, ...fields } = events.find(({ event }) => event === 'reused') ?? { event: '' }
  return fields
}

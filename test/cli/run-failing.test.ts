// Pieces that fail while a task runs.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { EIGHT_SQUARES, SQUARES, create, piecesOf, portOf } from '../helpers/runs.ts'

test('a piece that always fails', async t => {
  const files = await workspace(t)
  await create(files, [
    '--name',
    'broken',
    '--parts',
    '3',
    '--command',
    'if [ $PIECE_IDX = 1 ]; then echo "no luck \u001b[31m" >&2; exit 7; fi; echo $PIECE_IDX'
  ])
  const { code, events, stderr } = await files.run(['run', 'broken.bitworker', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(code, 1)
  const last = events.findLast(({ event }) => event === 'failed')
  t.deepEqual(
    [last?.['piece'], last?.['code'], last?.['exitCode'], last?.['final']], [1, 'BW_ERR_COMMAND_EXIT', 7, true]
  )
  t.match(String(last?.['stderr']), /no luck/)
  t.deepEqual(events.find(({ event }) => event === 'stuck')?.['pieces'], [1])
  t.match(stderr, /Piece 1 failed permanently on this machine\. .*7/)
  t.equal(stderr.match(/7: no luck/g)?.length, 2, 'once, and once in the list at the end')
  t.match(stderr, /1 piece failed here:\n {2}piece 1: .*7: no luck/)
  t.deepEqual(piecesOf('computed', events), [0, 2], 'stops nothing else')
})

test('a command that cannot work ends early, with the likely cause', async t => {
  const files = await workspace(t)
  await create(files, ['--name', 'nowhere', '--parts', '300', '--command', 'nosuchprogram $PIECE_IDX'])
  const { code, events, stderr } = await files.run([
    'run', 'nowhere.bitworker', '-j', '2', '--yes', '--exit', '--json', ...OFFLINE
  ])
  t.equal(code, 1)
  const hopeless = events.find(({ event }) => event === 'hopeless')
  t.deepEqual([hopeless?.['code'], hopeless?.['exitCode']], ['BW_ERR_HOPELESS', 127])
  t.ok(events.filter(({ event }) => event === 'computing').length <= 5, 'most pieces are not tried')
  t.match(
    stderr,
    /The first 3 pieces all failed in the same way, so no more are computed here\. .*127: .*nosuchprogram: command not found$/m
  )
  t.match(stderr, /nosuchprogram is not installed on this machine/)
  t.match(stderr, /pieces? failed here:\n {2}pieces? .*127/)
  t.deepEqual(events.at(-1), { event: 'stopped', exitCode: 1 })
})

test('a piece that failed here is waited for while a peer computes it', async t => {
  const files = await workspace(t)
  await mkdir(path.join(files.dir, 'tool'))
  await create(files, [
    ...SQUARES.slice(0, 2),
    '--parts',
    '8',
    '--command',
    'cd tool || exit; until test -e go; do sleep 0.1; done; echo $((PIECE_IDX*PIECE_IDX))'
  ])
  const has = files.start([
    'run', 'squares.bitworker', '-o', 'has', '-j', '1', '--bind', 'tool', '--yes', '--json', ...OFFLINE
  ])
  const peer = await portOf(has)
  await has.event('computing')
  const lacks = files.start([
    'run', 'squares.bitworker', '-o', 'lacks', '-j', '2', '--yes', '--exit', '--json', '--peer', peer, ...OFFLINE
  ])
  await lacks.event('hopeless')
  await writeFile(path.join(files.dir, 'tool/go'), '')
  const { code, events, stderr } = await lacks.ended
  t.equal(code, 0, stderr)
  t.equal(piecesOf('downloaded', events).length, 8)
  t.match(stderr, /The run ends when none arrives for 10 s/)
  t.match(stderr, /100 %, 0 computed here, 8 downloaded, .*, done, ✓ 0 of 8 own or trusted · 8 by one$/m)
  t.equal(await readFile(path.join(files.dir, 'lacks/squares'), 'utf8'), EIGHT_SQUARES)
})

/** Two peers of a task whose last piece waits for `release`; the first leaves when it is done, and uploads slowly. */

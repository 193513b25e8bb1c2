/** Peers that are killed: the others continue, and a peer that is started again resumes. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent, Running, Workspace } from '../helpers/cli.ts'

const PARTS = 40
const TEXT = Array.from({ length: PARTS }, (_, i) => `part ${i}\n`).join('')

async function createTask (t: Test, before = ':'): Promise<Workspace> {
  const work = await workspace(t)
  await work.run([
    'create',
    '--name',
    'out.txt',
    '--command',
    `${before}; sleep 0.1; echo "part $PIECE_IDX"`,
    '--parts',
    String(PARTS),
    '--piece-length',
    '1K'
  ])
  return work
}

function startPeer (work: Workspace, output: string, ...flags: string[]): Running {
  return work.start(['run', 'out.txt.bitworker', '-o', output, '-j', '1', '--yes', '--json', ...OFFLINE, ...flags])
}

function pieces (events: JsonEvent[], name: string): number[] {
  return events.filter(({ event }) => event === name).map(({ piece }) => Number(piece))
}

test('kill -9 in the middle, then the same command again', async t => {
  const work = await createTask(t)
  const before = startPeer(work, 'out')
  await before.event('computed', () => pieces(before.events, 'computed').length >= 5)
  before.kill('SIGKILL')
  const { events } = await before.ended
  const after = startPeer(work, 'out', '--exit')
  t.equal((await after.ended).code, 0)
  const again = pieces(after.events, 'computed').filter(piece => pieces(events, 'computed').includes(piece))
  t.same(again, [], 'nothing that was stored is computed again')
  t.equal(await readFile(path.join(work.dir, 'out', 'out.txt'), 'utf8'), TEXT)
})

test('all peers but one are killed', async t => {
  const work = await createTask(t, 'until [ -e gate/open ]; do sleep 0.05; done')
  const gate = path.join(work.dir, 'gate')
  await mkdir(gate)
  const survivor = startPeer(work, 'survivor', '--exit', '--bind', gate)
  const { port } = await survivor.event('listening')
  const others = ['a', 'b', 'c'].map(name =>
    startPeer(work, name, '--bind', gate, '--peer', `127.0.0.1:${Number(port)}`))
  // no piece is finished before all take part: on a busy machine, the first could compute all of them alone
  await Promise.all([survivor, ...others].map(async peer => peer.event('computing')))
  await writeFile(path.join(gate, 'open'), '')
  await Promise.all([survivor.event('downloaded'), ...others.map(async other => other.event('computed'))])
  for (const other of others) other.kill('SIGKILL')
  t.equal((await survivor.ended).code, 0)
  t.ok(pieces(survivor.events, 'downloaded').length > 0, 'it has downloaded some of their pieces')
  t.equal(await readFile(path.join(work.dir, 'survivor', 'out.txt'), 'utf8'), TEXT)
})

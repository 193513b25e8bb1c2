// Tasks that bring their system along: its programs run at volunteers that lack them.
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running, Workspace } from '../helpers/cli.ts'
import { BROUGHT, makeRoot } from '../helpers/roots.ts'
import { tarOf } from '../helpers/tars.ts'

const CREATE = ['create', '--no-try', '--json', '--name', 'x', '--piece-length', '1K', '--parts', '4', '--force']
const COMMAND = ['--command', `${BROUGHT} $PIECE_IDX; cat given`]

/** The author shares what it has, and computes nothing. */
async function share ({ start }: Workspace): Promise<string> {
  const author = start(['run', 'x.bitworker', '-o', 'author', '--no-compute', '--json', ...OFFLINE])
  return `127.0.0.1:${String((await author.event('listening'))['port'])}`
}

interface Joining { magnet: string, peer: string, more?: string[] }

function volunteer (
  { dir, start }: Workspace, name: string, { magnet, peer, more = [] }: Joining
): Running {
  return start([
    'run', `${magnet}&x.pe=${peer}`, '-o', name, '--cache', `${name}.cache`, '--yes', '--json', '-j', '1', ...more, ...OFFLINE
  ], { env: { HOME: path.join(dir, `${name}.home`) } })
}

function computedBy ({ events }: Running): unknown[] {
  return events.flatMap(({ event, piece }) => event === 'computed' ? [piece] : [])
}

const RESULT = [0, 1, 2, 3].map(i => `brought along: ${i}\ngiven\n`).join('')

test('a folder as the root of a task', async t => {
  const space = await workspace(t)
  const { dir, run } = space
  makeRoot(path.join(dir, 'system'))
  writeFileSync(path.join(dir, 'given'), 'given\n')
  const made = await run([...CREATE, ...COMMAND, '--root', 'system', '--input', 'given', '--need', BROUGHT])
  t.equal(made.code, 0, made.stderr)
  const created = made.events[0] as unknown as { magnet: string, inputs: Array<Record<string, unknown>> }
  t.match((await run(['info', 'x.bitworker'])).stdout, /^ +it reads .*\n +system, [\d.]+ MiB, torrent [0-9a-f]{40}, unpacked: the system in which its commands run$/m)
  t.equal(created.inputs.find(({ name }) => name === 'system')?.['root'], true)
  const tried = await run(['try', 'x.bitworker', '--yes'])
  t.equal(tried.code, 0, tried.stderr)
  t.equal(tried.stdout, 'brought along: 0\ngiven\n')

  const peer = await share(space)
  const small = volunteer(space, 'small', { magnet: created.magnet, peer, more: ['--max-input', '1M'] })
  t.match(String((await small.event('warning'))['message']), /^The task's inputs have [\d.]+ MiB, more than 1 MiB; nothing is computed here/)
  const landlocked = volunteer(space, 'landlocked', { magnet: created.magnet, peer, more: ['--sandbox', 'landlock'] })
  t.equal((await landlocked.event('warning', ({ code }) => code === 'BW_ERR_NO_SANDBOX'))['message'],
    'Nothing is computed here, only downloaded: the task has its own root, which commands can see only in the sandbox of bubblewrap. Install bubblewrap.')
  const able = ['a', 'b'].map(name => volunteer(space, name, { magnet: created.magnet, peer }))
  for (const [i, client] of able.entries()) {
    await client.event('done')
    t.equal(readFileSync(path.join(dir, 'ab'[i]!, 'x'), 'utf8'), RESULT)
  }
  // two who know each other only by the author hear of such short claims too late, so that both may compute a piece
  t.same(new Set(able.flatMap(computedBy)), new Set([0, 1, 2, 3]), 'by volunteers only')
  for (const client of [small, landlocked]) {
    await client.event('done')
    t.same(computedBy(client), [])
  }
  t.equal(readFileSync(path.join(dir, 'landlocked', 'x'), 'utf8'), RESULT, 'who cannot compute has it, too')
  const [entry = ''] = readdirSync(path.join(dir, 'a.cache/roots'))
  t.same(readdirSync(path.join(dir, 'a.cache/roots', entry)).filter(name => name.startsWith('draft')), [])
  t.equal(statSync(path.join(dir, 'a.cache/roots', entry, 'root/usr/bin', BROUGHT)).mode & 0o777, 0o555)
})

test('an archive as the root, whatever runs in it', async t => {
  const space = await workspace(t)
  const { dir, run } = space
  makeRoot(path.join(dir, 'system'))
  execFileSync('tar', ['-C', path.join(dir, 'system'), '-czf', path.join(dir, 'system.tgz'), '.'])
  const made = await run([...CREATE, '--command', `${BROUGHT} $PIECE_IDX`, '--complete-command', `${BROUGHT} all > "$FILE"`, '--root', 'system.tgz:sys'])
  t.equal(made.code, 0, made.stderr)
  const { magnet } = made.events[0] as unknown as { magnet: string }
  const client = volunteer(space, 'v', { magnet, peer: await share(space) })
  await client.event('done')
  t.equal(readFileSync(path.join(dir, 'v', 'x'), 'utf8'), 'brought along: all\n', 'complete commands, too')
})

test('what cannot be a root', async t => {
  const space = await workspace(t)
  const { dir, run } = space
  const file = async (name: string, entries: Parameters<typeof tarOf>[0]): Promise<void> => {
    writeFileSync(path.join(dir, name), await tarOf(entries))
  }
  await file('device.tar', [{ name: 'x', type: 'character-device' }])
  await file('bare.tar', [{ name: 'bin/sh', data: 'no bash' }, { name: 'usr/bin/bash', data: 'not there' }])
  await file('out.tar', [{ name: 'x', type: 'symlink', linkname: '../../etc' }])
  mkdirSync(path.join(dir, 'fifo'))
  execFileSync('mkfifo', [path.join(dir, 'fifo/here')])
  for (const [root, says] of [
    ['device.tar', /The input "device\.tar" cannot be a root: it has a character device: "x"\.$/m],
    ['out.tar', /cannot be a root: it has a symbolic link that leads out of it: "x" -> "\.\.\/\.\.\/etc"\.$/m],
    ['bare.tar', /cannot be a root: it has no \/bin\/bash, which runs the commands; install bash in it\.$/m],
    ['fifo', /here" is neither a file nor a folder nor a link, so no root can have it\.$/m],
    ['nowhere', /"nowhere" does not exist/]
  ] as const) {
    const { code, stderr } = await run([...CREATE, ...COMMAND, '--root', root])
    t.equal(code, 2)
    t.match(stderr, says)
  }
  t.notOk(existsSync(path.join(dir, 'x.bitworker')))

  await file('empty.tar', [{ name: 'bin', type: 'symlink', linkname: 'usr/bin' }, { name: 'usr/bin/bash', data: 'no program' }])
  const made = await run([...CREATE, ...COMMAND, '--root', 'empty.tar'])
  t.equal(made.code, 0, made.stderr)
  const { magnet } = made.events[0] as unknown as { magnet: string }
  const peer = await share(space)
  const client = volunteer(space, 'v', { magnet, peer })
  t.match(String((await client.event('warning', ({ code }) => code === 'BW_ERR_ROOT'))['message']),
    /^The root of the task has no \/bin\/bash that runs on this machine, so nothing is computed here, only downloaded \(.*\)\. Ask its author to correct it\.$/)
})

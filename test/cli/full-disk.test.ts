// Nothing is downloaded to a disk that is too full for it: it is said in one line, and goes on when there is room.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'
import { BROUGHT, makeRoot } from '../helpers/roots.ts'

const MIB = 1024 ** 2

/** A disk of 60 MiB; null where nothing can be mounted. */
function smallDisk (t: Test): string | null {
  const disk = createFolder(t)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'none', disk]).status !== 0) {
    t.comment('nothing can be mounted here')
    return null
  }
  cleanUp(t, () => { spawnSync('umount', ['-l', disk]) })
  return disk
}

test('an input waits for room on the disk', async t => {
  const { dir, run, start } = await workspace(t)
  const disk = smallDisk(t)
  if (disk === null) return
  writeFileSync(path.join(disk, 'other'), Buffer.alloc(30 * MIB))
  writeFileSync(path.join(dir, 'data'), Buffer.alloc(20 * MIB, 'x'))
  const made = await run(['create', '--no-try', '--json', '--name', 'x', '--parts', '1', '--input', 'data', '--command', 'wc -c < data'])
  t.equal(made.code, 0, made.stderr)
  const author = start(['run', 'x.bitworker', '-o', 'author', '--no-compute', '--json', ...OFFLINE])
  const peer = `127.0.0.1:${String((await author.event('listening'))['port'])}`
  const client = start([
    'run', `${String(made.events[0]?.['magnet'])}&x.pe=${peer}`, '-o', 'out', '--cache', path.join(disk, 'cache'), '--yes', '--json', ...OFFLINE
  ], { env: { HOME: path.join(dir, 'home') } })
  const { message, have } = await client.event('input', event => event['message'] !== undefined)
  t.match(String(message), /^The input "data" of 20971520 bytes is not downloaded, and what needs it waits: too little space is free in \S+\/cache\/inputs\/[0-9a-f]{40}\. Free some, or choose another folder for the cache\.$/)
  t.equal(have, 0)
  rmSync(path.join(disk, 'other'))
  await client.event('done')
  t.equal(client.stderr().match(/too little space/g)?.length ?? 0, 1, 'said once')
  t.equal(readFileSync(path.join(dir, 'out/x'), 'utf8'), `${20 * MIB}\n`, 'then it goes on')
})

test('a root waits for room on the disk', async t => {
  const { dir, run, start } = await workspace(t)
  const disk = smallDisk(t)
  if (disk === null) return
  writeFileSync(path.join(disk, 'other'), Buffer.alloc(30 * MIB))
  const system = makeRoot(path.join(dir, 'system'))
  writeFileSync(path.join(system, 'large'), Buffer.alloc(30 * MIB))
  execFileSync('tar', ['-C', system, '-czf', path.join(dir, 'system.tgz'), '.'])
  const made = await run(['create', '--no-try', '--json', '--name', 'x', '--parts', '1', '--root', 'system.tgz', '--command', BROUGHT])
  t.equal(made.code, 0, made.stderr)
  const client = start(['run', 'x.bitworker', '-o', 'out', '--cache', path.join(disk, 'cache'), '--yes', '--json', ...OFFLINE])
  const { message, since } = await client.event('input', event => event['message'] !== undefined)
  t.match(String(message), /^The root "system\.tgz" is not unpacked, and all commands wait: too little space is free in \S+\/cache\. Free some, or choose another folder for the cache\.$/)
  t.equal(typeof since, 'number')
  rmSync(path.join(disk, 'other'))
  await client.event('done')
  t.equal(client.stderr().match(/too little space/g)?.length ?? 0, 1, 'said once')
  t.equal(readFileSync(path.join(dir, 'out/x'), 'utf8'), 'brought along: \n', 'then it goes on')
})

// Files of a task's that a command is given: what it may do with them, in every kind of sandbox, as whoever.
import {
  chmodSync, chownSync, lchownSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync
} from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { USERS, startConfined } from '../helpers/confined.ts'
import type { Confined } from '../helpers/confined.ts'
import { allFail, startLandlock } from '../helpers/escapes.ts'

/**
 * A folder as a cache has it: `data` with two files, of which a command is given one, and `whole` with a program and
 * links to it.
 */
function inputs (client: Confined, uid: number): { data: string, whole: string } {
  const [data, whole] = ['data', 'whole'].map(name => path.join(client.folder, name)) as [string, string]
  for (const folder of [data, whole]) mkdirSync(folder, { mode: 0o700 })
  const files = [
    [data, 'one', 'the slice\n'], [data, 'two', 'a neighbour\n'], [whole, 'tool', '#!/bin/sh\necho tool\n']
  ] as const
  for (const [folder, name, text] of files) {
    writeFileSync(path.join(folder, name), text)
    chmodSync(path.join(folder, name), 0o555)
    chownSync(path.join(folder, name), uid, uid)
  }
  for (const [at, target] of [['also', 'tool'], ['d', 'sub'], ['sub/up', '../also']] as const) {
    mkdirSync(path.join(whole, 'sub'), { recursive: true })
    symlinkSync(target, path.join(whole, at))
    lchownSync(path.join(whole, at), uid, uid)
  }
  for (const folder of [data, whole]) chownSync(folder, uid, uid)
  for (const folder of [data, whole]) chmodSync(folder, 0o755)
  return { data, whole }
}

function mountsOf ({ data, whole }: { data: string, whole: string }): Array<{ path: string, at: string }> {
  return [
    { path: path.join(data, 'one'), at: '/scratch/in/one' },
    { path: whole, at: '/scratch/whole' },
    { path: path.join(whole, 'tool'), at: '/scratch/prog' }
  ]
}

/** What nobody may do with the files, by whatever name; `in/one` is the slice, `whole/tool` a program. */
const attempts = [
  'echo x > in/one', 'echo x >> in/one', 'truncate -s 0 in/one', 'chmod 777 in/one; [ $(stat -Lc %a in/one) = 777 ]',
  'perl -e \'chmod 0777, *STDIN; exit !((stat STDIN)[2] & 0200)\'', 'echo x > /dev/stdin', 'echo x > /proc/self/fd/0',
  'perl -e \'open(F, "+<&=0") && syswrite(F, "x") or die\'', 'echo x > /stdin', 'ln in/one hard && echo x > hard',
  'mv whole/tool x', 'rm whole/tool', 'touch whole/new', 'chmod 700 whole; [ $(stat -Lc %a whole) = 700 ]',
  'mkdir whole/new', 'chmod 777 whole/tool; [ $(stat -Lc %a whole/tool) = 777 ]',
  'perl -e \'utime(1, 1, "in/one") && (stat "in/one")[9] == 1 or die\'',
  'rm whole/also', 'ln -sfn /etc/hosts whole/also', 'mv whole/also x', 'echo x > whole/also', 'echo x > whole/d/up',
  'cat in/two', 'cat "$(dirname "$(readlink -f in/one)")/two"', 'ls "$(dirname "$(readlink -f in/one)")" | grep two'
]

const reading = 'cat; cat in/one; prog; whole/tool; whole/d/up; readlink whole/sub/up'
const READ = 'the slice\nthe slice\ntool\ntool\ntool\n../also\n'

async function tryAll (t: Test, client: Confined, uid: number): Promise<void> {
  const { data, whole } = inputs(client, uid)
  const slice = path.join(data, 'one')
  const mounts = mountsOf({ data, whole })
  const read = await client.run({ command: reading, mounts, stdin: slice })
  t.deepEqual([read.code, read.stdout], [null, READ], `they can be read, and run: ${read.stderr}`)
  const { code, stdout, stderr } = await client.run({ command: allFail(...attempts), mounts, stdin: slice })
  t.deepEqual([code, stdout], [null, 'contained\n'], `and that is all: ${stderr}`)
  const none = await client.run({ command: 'cat | wc -c', mounts })
  t.deepEqual([none.code, none.stdout], [null, '0\n'], 'who is given nothing reads nothing')
  const missing = await client.run({ command: 'cat', mounts, stdin: path.join(data, 'three') })
  t.notEqual(missing.code, null, 'what is not there is a failure, not an empty file')
  t.equal(readFileSync(slice, 'utf8'), 'the slice\n', 'unchanged')
  t.equal(statSync(slice).mode & 0o777, 0o555)
  t.deepEqual(readdirSync(whole), ['also', 'd', 'sub', 'tool'])
}

for (const { name: user, uid } of USERS) {
  test(`as ${user}: inputs in bwrap`, async t => {
    const client = await startConfined(t, uid)
    await tryAll(t, client, uid)
    const whole = path.join(client.folder, 'whole')
    const nested = await client.run({
      command: allFail(...attempts.filter(each => each.includes('whole'))),
      mounts: [{ path: whole, at: '/scratch/whole' }],
      nested: true
    })
    t.deepEqual([nested.code, nested.stdout], [null, 'contained\n'], `the same in a nest: ${nested.stderr}`)
  })

  if (process.getuid?.() === 0) test(`as ${user}: inputs where parts of /proc are hidden`, async t => {
    const hide = 'mount --bind /proc/sys /proc/sys && exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"'
    const client = await startConfined(t, uid, 'bwrap', ['unshare', '--mount', '/bin/sh', '-c', hide, String(uid)])
    t.equal(client.tier, 'bwrap-noproc', client.problems.join('; '))
    await tryAll(t, client, uid)
  })

  test(`as ${user}: inputs in landlock`, async t => {
    const client = await startLandlock(t, uid)
    if (client !== null) await tryAll(t, client, uid)
  })

  test(`as ${user}: inputs without a sandbox`, async t => {
    const client = await startConfined(t, uid, 'none')
    const { data, whole } = inputs(client, uid)
    const slice = path.join(data, 'one')
    const mounts = mountsOf({ data, whole })
    for (const shells of ['fresh', 'warm'] as const) {
      const { code, stdout, stderr } = await client.run({ command: reading, mounts, stdin: slice, shells })
      t.deepEqual([code, stdout], [null, READ], `${shells}: ${stderr}`)
      const missing = await client.run({ command: 'cat', mounts, stdin: path.join(data, 'three'), shells })
      t.notEqual(missing.code, null, 'what is not there is a failure, not an empty file')
    }
  })
}

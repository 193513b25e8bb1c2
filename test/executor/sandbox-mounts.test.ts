// What a command in the sandbox has of this machine, and what it may write to.
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { COMMAND_UID } from '../../lib/executor/sandbox/host.ts'
import { USERS, startConfined } from '../helpers/confined.ts'
import { until } from '../helpers/disk.ts'
import { MIB, allFail, contained, startLandlock } from '../helpers/escapes.ts'

for (const { name: user, uid } of USERS) {
  test(`as ${user}: what is mounted`, async t => {
    const client = await startConfined(t, uid)
    const out = path.join(client.folder, 'o')
    const shown = path.join(client.folder, 'shown')
    for (const folder of [out, shown]) mkdirSync(folder)
    writeFileSync(path.join(shown, 'file'), 'shown\n')
    if (process.getuid?.() === 0) {
      for (const folder of [out, shown]) chownSync(folder, uid === 0 ? COMMAND_UID : uid, uid)
    }
    const mounts = [{ path: shown, at: '/scratch/data' }, { path: path.join(shown, 'file'), at: '/scratch/one' }, { path: out, at: '/out', writable: true }]
    const command =
      'cat data/file one; echo made > /out/file; for f in data/new data/file one; do if (echo > $f) 2>/dev/null; then echo "wrote $f"; fi; done; rm -f data/file; ls'
    const { code, stdout, stderr } = await client.run({ command, mounts })
    t.deepEqual([code, stdout], [null, 'shown\nshown\ndata\none\n'], `read-only: ${stderr}`)
    t.equal(readFileSync(path.join(out, 'file'), 'utf8'), 'made\n', 'what is writable can be written')
    const nested = await client.run({
      command:
        'cat data/file one; for f in data/new data/file one; do if (echo > $f) 2>/dev/null; then echo "wrote $f"; fi; done; rm -f data/file; ls',
      mounts: mounts.slice(0, 2),
      nested: true
    })
    t.deepEqual(
      [nested.code, nested.stdout], [null, 'shown\nshown\ndata\none\n'], `the same in a nest: ${nested.stderr}`
    )
    const flood = await client.run({
      command: 'head -c 64M /dev/zero | tee /out/{1..20} >/dev/null; sleep 1000',
      mounts,
      limits: { fileBytes: 100 * MIB, timeoutMs: 60_000 }
    })
    t.equal(flood.code, 'BW_ERR_COMMAND_DISK', `but not without end: ${flood.message}`)
    const quick = await client.run({
      command: 'rm -f /out/*; head -c 3M /dev/zero > /out/file',
      mounts,
      limits: { fileBytes: MIB }
    })
    t.equal(quick.code, 'BW_ERR_COMMAND_DISK', `however quick it is: ${quick.message}`)
  })

  test(`as ${user}: what is shown to a command in landlock`, async t => {
    const client = await startLandlock(t, uid)
    if (client === null) return
    const [out, shown] = ['o', 'shown'].map(name => path.join(client.folder, name)) as [string, string]
    for (const folder of [out, shown]) mkdirSync(folder, { mode: 0o700 })
    writeFileSync(path.join(shown, 'file'), 'shown\n', { mode: 0o600 })
    for (const at of [out, shown, path.join(shown, 'file')]) chownSync(at, uid, uid)
    const mounts = [
      { path: shown, at: '/scratch/data' },
      { path: path.join(shown, 'file'), at: '/scratch/one' },
      { path: out, at: '/out', writable: true }
    ]
    const tries = allFail(
      'echo > data/new',
      'echo > data/file',
      'echo > one',
      'rm data/file',
      'chmod 777 data/file; [ $(stat -Lc %a data/file) = 777 ]',
      'ln data/file x && echo > x',
      'mv data/file .'
    )
    const { code, stdout, stderr } = await client.run({
      command: `cat data/file one; echo made > ${out}/file; ${tries}; ls`, mounts
    })
    t.deepEqual(
      [code, stdout], [null, 'shown\nshown\ncontained\ndata\none\n'], `links to what cannot be written to: ${stderr}`
    )
    t.equal(readFileSync(path.join(out, 'file'), 'utf8'), 'made\n', 'what is writable can be written')
    const flood = await client.run({
      command: `head -c 64M /dev/zero | tee ${out}/{1..20} >/dev/null; sleep 1000`,
      mounts,
      limits: { fileBytes: 100 * MIB, timeoutMs: 60_000 }
    })
    t.equal(flood.code, 'BW_ERR_COMMAND_DISK', `but not without end: ${flood.message}`)
  })

  if (process.getuid?.() === 0) test(`as ${user}: where parts of /proc are hidden`, async t => {
    // as containers do
    const hide = 'mount --bind /proc/sys /proc/sys && exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"'
    const client = await startConfined(t, uid, 'bwrap', ['unshare', '--mount', '/bin/sh', '-c', hide, String(uid)])
    t.equal(client.tier, 'bwrap-noproc', client.problems.join('; '))
    t.match(client.problems.join('; '), /hides parts of \/proc/)
    const { code, stdout } = await client.run({
      command:
        'ls -A /proc; for f in {3..999}; do (: <&$f) 2>/dev/null && echo $f; done; cat | wc -c; echo x > /tmp/x; ls /scratch /tmp'
    })
    t.deepEqual([code, stdout], [null, '0\n/scratch:\n\n/tmp:\nx\n'], 'a command runs, and sees nothing in /proc')
    const daemon = await client.run({ command: 'setsid sleep 1000 >&- & echo contained' })
    contained(t, daemon)
    await until('nothing is left of it', () => client.survivors().length === 0)
  })
}

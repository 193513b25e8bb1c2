// Commands in the root of a task: they see it as `/`, and of this machine nothing; as whoever they are started.
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { ROOT_FILES, ROOT_FOLDERS } from '../../lib/executor/sandbox/scratch.ts'
import { USERS, startConfined } from '../helpers/confined.ts'
import type { Confined } from '../helpers/confined.ts'
import { allFail } from '../helpers/escapes.ts'
import { BROUGHT, makeRoot } from '../helpers/roots.ts'

/** As unpacked, for this user. */
function rootFor (client: Confined, uid: number): string {
  const root = makeRoot(path.join(client.folder, 'root'))
  for (const folder of ROOT_FOLDERS) mkdirSync(path.join(root, folder))
  for (const file of ROOT_FILES) writeFileSync(path.join(root, file), '')
  for (const name of ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })]) {
    if (name !== 'bin') chownSync(path.join(root, name), uid, uid)
  }
  return root
}

const READ = [
  `${BROUGHT} here`, 'cat "$PWD/given" - /etc/passwd', 'echo "$HOME $PATH $LANG"', 'ls / ', 'id -u',
  '[ -e /proc/self/fd/1 ] && [ -c /dev/null ] && [ -w /tmp ] && [ -w . ] && echo places',
  'shopt -q login_shell || echo "$(ls -A /sys /proc/1)"'
]
const SEEN = [
  'brought along: here', 'a given file', 'its input', 'nobody:x:65534:65534:of the root:/:/bin/bash',
  '/scratch /usr/local/bin:/usr/bin:/bin:/scratch C.UTF-8',
  'bin', 'dev', 'etc', 'lib', 'lib64', 'list', 'o', 'proc', 'scratch', 'stdin', 'sys', 'tmp', 'usr', '65534', 'places', '/proc/1:', '', '/sys:'
]
const ATTEMPTS = [
  'echo x > /usr/bin/cat', 'echo x > /etc/new', 'echo x > /new', 'echo x > /stdin', 'chmod 777 /etc/passwd', '[ -e /home ]',
  '[ -e /root ]', '[ -e /var ]', '[ -e /etc/hostname ]', 'cat /proc/sys/kernel/core_pattern > x; echo x > /proc/sys/kernel/core_pattern',
  'ls /oldroot', 'command -v perl', 'exec 9<>/dev/tcp/127.0.0.1/80', 'cat <&251', 'cat /proc/1/environ'
]

for (const { name, uid } of USERS) {
  test(`a root, for ${name}`, async t => {
    const client = await startConfined(t, uid)
    t.equal(client.tier, 'bwrap', client.problems.join(' '))
    const root = rootFor(client, uid)
    const [given, stdin] = ['given', 'stdin'].map(each => path.join(client.folder, each)) as [string, string]
    writeFileSync(given, 'a given file\n')
    writeFileSync(stdin, 'its input\n')
    for (const at of [given, stdin]) {
      chownSync(at, uid, uid)
      chmodSync(at, 0o444)
    }
    const order = { root, mounts: [{ path: given, at: '/scratch/given' }], stdin }
    const read = await client.run({ ...order, command: READ.join('\n') })
    t.same([read.code, read.stdout.split('\n').slice(0, SEEN.length)], [null, SEEN], read.stderr)
    const tried = await client.run({ ...order, command: allFail(...ATTEMPTS) })
    t.same([tried.code, tried.stdout], [null, 'contained\n'], tried.stderr)

    for (const [command, code, stdout] of [
      ['exit 7', 'BW_ERR_COMMAND_EXIT', ''],
      ['kill -SEGV $$', 'BW_ERR_COMMAND_SIGNAL', ''],
      ['trap "echo ended; exit 0" TERM; kill -TERM 0; sleep 60', null, 'ended\n'],
      ['(sleep 0.1; echo later) & echo first', null, 'first\nlater\n'],
      ['cat', null, ''],
      ['perl -e 1', 'BW_ERR_COMMAND_EXIT', '']
    ] as const) {
      const ended = await client.run({ root, command })
      t.same([ended.code, ended.stdout], [code, stdout], `${command}: ${ended.stderr}`)
    }
    const limited = await client.run({ root, command: 'for i in {1..50}; do sleep 60 & done; wait', limits: { processes: 20 } })
    t.notEqual(limited.code, null, 'its limits hold')
    t.same(client.survivors(), [])

    const empty = path.join(client.folder, 'empty')
    for (const folder of ['', ...ROOT_FOLDERS]) {
      mkdirSync(path.join(empty, folder))
      chownSync(path.join(empty, folder), uid, uid)
    }
    const lacking = await client.run({ root: empty, command: 'echo ran' })
    t.same([lacking.code, lacking.stdout], ['BW_ERR_COMMAND_EXIT', ''], `no bash, no run: ${lacking.message}`)
  })
}

test('without a sandbox of bubblewrap there is no root', t => {
  const executor = new BashExecutor()
  t.equal(executor.hasRoots, false)
  t.end()
})

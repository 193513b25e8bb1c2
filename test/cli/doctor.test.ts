// `bitworker doctor`: what it finds, what it says to do, and the exit code scripts go by.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import type { Test } from 'tape'
import { workspace } from '../helpers/cli.ts'
import type { Ended, JsonEvent } from '../helpers/cli.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

function finding (events: JsonEvent[], check: string): { state: unknown, message: string } {
  const found = events.find(({ event, check: of }) => event === 'check' && of === check)
  return { state: found?.['state'], message: String(found?.['message']) }
}

async function doctor (t: Test, env: Record<string, string> = {}, args: string[] = []): Promise<Ended> {
  const { run } = await workspace(t)
  return run(['doctor', '--port', '0', '--json', ...args], { env })
}

/**
 * A folder for PATH with a bwrap that only says something; and a perl, without which there is no sandbox landlock
 * either.
 */
function pathWith (
  t: Test, bwrap: string, perl: string | null = "echo 'Landlock: Function not implemented' >&2; exit 125"
): string {
  const dir = createFolder(t)
  for (const [name, script] of [
    ['bwrap', bwrap], ['perl', perl]
  ] as const) {
    if (script !== null) writeFileSync(path.join(dir, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  }
  chmodSync(dir, 0o755)
  return dir
}

test('doctor on a machine that has everything', async t => {
  const { code, events, stderr } = await doctor(t)
  t.equal(stderr, '')
  t.deepEqual(
    events.map(({ event, check }) => check ?? event),
    ['shell', 'sandbox', 'memory', 'port', 'discovery', 'doctor'],
    'one event for each check, and one for all'
  )
  t.deepEqual(finding(events, 'shell'), { state: 'ok', message: '/bin/bash' })
  t.deepEqual(finding(events, 'port'), { state: 'ok', message: 'any free port, TCP and UDP' })
  const { state, message } = finding(events, 'sandbox')
  t.ok(['ok', 'limited'].includes(String(state)) && message.startsWith('bwrap'), `a sandbox: ${message}`)
  t.deepEqual([code, events.at(-1)], [0, { event: 'doctor', canCompute: true }])
})

test('doctor for people: one line per check, and the conclusion', async t => {
  const { run } = await workspace(t)
  const good = await run(['doctor', '--port', '0'])
  t.match(
    good.stdout,
    /^shell {6}ok {7}\/bin\/bash\nsandbox .*\nmemory .*Cgroups.*\nport .*\ndiscovery .*\nTasks can be computed here\.\n$/
  )
  t.deepEqual([good.code, good.stderr], [0, ''])
  const bad = await run(['doctor', '--port', '0'], { env: { PATH: pathWith(t, 'exit 1') } })
  t.match(bad.stdout, /^sandbox {4}missing {2}bwrap does not work here/m)
  t.match(bad.stdout, /can be downloaded and seeded here, but not computed\.\n$/)
  t.equal(bad.code, 1)
})

test('doctor with a bwrap that does not work', async t => {
  const ways: Array<[says: string, remedy: RegExp]> = [
    ['bwrap: setting up uid map: Permission denied', /AppArmor.*apparmor-profiles/],
    [
      'bwrap: No permissions to create new namespace, likely because the kernel does not allow it',
      /user namespaces\. Allow them/
    ],
    ['bwrap: Unknown option --size', /older than 0\.8\. Update it/],
    ['something never heard of', /bwrap does not work here \(something never heard of\)/]
  ]
  for (const [says, remedy] of ways) {
    const { code, events } = await doctor(t, { PATH: pathWith(t, `echo '${says}' >&2; exit 1`) })
    const { state, message } = finding(events, 'sandbox')
    t.deepEqual([code, state], [1, 'missing'], says)
    t.match(message, remedy)
    t.notOk(message.includes('\n'), 'one line')
  }
  const landlock: Array<[says: string, remedy: RegExp]> = [
    ['Landlock: Function not implemented', /Use Linux 6\.12 or later with landlock in its list/],
    ['Landlock: Operation not permitted', /seccomp profile allows landlock_create_ruleset/],
    ['Landlock has version 4, but 6 is needed', /too old\. Use Linux 6\.12/]
  ]
  for (const [says, remedy] of landlock) {
    const { code, events } = await doctor(t, { PATH: pathWith(t, 'exit 1', `echo '${says}' >&2; exit 125`) })
    t.equal(code, 1, says)
    t.match(finding(events, 'sandbox').message, remedy)
  }
  const second = await doctor(t, { PATH: pathWith(t, 'exit 1', null) })
  const { state, message } = finding(second.events, 'sandbox')
  if (state === 'limited') t.match(message, /^landlock\. bwrap does not work here/, 'Landlock where bwrap does not work')
  else t.match(message, /landlock does not work here/, 'where neither does')
  const mute = await doctor(t, { PATH: pathWith(t, 'exit 0') })
  t.deepEqual(
    [mute.code, finding(mute.events, 'sandbox').state], [1, 'missing'], 'one that ends well, but runs nothing, is none'
  )
})

const noTemporary = (at: string, why: string): string =>
  `${at}, the folder for temporary files (TMPDIR), cannot be used: ${why}. Set TMPDIR to a writable folder with free space.`

test('doctor without a folder for temporary files says so once, with advice', async t => {
  const dir = createFolder(t)
  const file = path.join(dir, 'file')
  const gone = path.join(dir, 'gone')
  writeFileSync(file, '')
  for (const [at, why] of [[gone, 'there is no such folder'], [file, 'it is not a folder']] as const) {
    const { code, events } = await doctor(t, { TMPDIR: at })
    t.deepEqual([code, finding(events, 'sandbox')], [1, { state: 'missing', message: noTemporary(at, why) }])
  }
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  for (const [options, why] of [['size=16k', 'its disk is full'], ['ro', 'its file system is read-only']] as const) {
    const found = inNamespaces(
      [...user, '--mount'], `export TMPDIR='${dir}'; mount -t tmpfs -o ${options} none "$TMPDIR"`, createFolder(t)
    )
    if (found === null) t.comment('no namespaces here')
    else
      t.deepEqual(
        [found.code, finding(found.events, 'sandbox')], [1, { state: 'missing', message: noTemporary(dir, why) }]
      )
  }
})

test('doctor finds a port that is taken', async t => {
  const server = createServer().listen(0)
  await once(server, 'listening')
  cleanUp(t, () => { server.close() })
  const { port } = server.address() as { port: number }
  const { code, events } = await doctor(t, {}, ['--port', String(port)])
  const { state, message } = finding(events, 'port')
  t.deepEqual([code, state], [1, 'missing'])
  t.match(message, new RegExp(`^port ${port}: Another program uses this port\\. Choose another port`))
})

/** Runs doctor after a script in namespaces of its own; null where there are none. */
function inNamespaces (
  flags: string[], script: string, dir: string
): { code: number | null, events: JsonEvent[] } | null {
  if (spawnSync('unshare', [...flags, '/bin/sh', '-c', script]).status !== 0) return null
  const env = { PATH: process.env['PATH'] ?? '', HOME: dir }
  const { status, stdout } = spawnSync(
    'unshare',
    [...flags, '/bin/sh', '-c', `${script}; exec "$0" "$@"`, process.execPath, MAIN, 'doctor', '--port', '0', '--json'],
    { encoding: 'utf8', env, timeout: 30_000 }
  )
  return {
    code: status,
    events: stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as JsonEvent)
  }
}

test('doctor without bash, without bwrap, without a network', t => {
  const dir = createFolder(t)
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']
  const noBash = inNamespaces([...user, '--mount'], 'mount --bind /dev/null /bin/bash', dir)
  if (noBash === null) t.comment('no namespaces here')
  else {
    t.deepEqual([noBash.code, finding(noBash.events, 'shell')],
      [1, { state: 'missing', message: '/bin/bash is missing or cannot be executed. Install bash.' }])
    t.equal(finding(noBash.events, 'sandbox').state, 'missing', 'nor is there a sandbox that could run it')
  }
  // found wherever it is usually, whatever PATH says; one not executable is none
  const noBwrap = inNamespaces(
    [...user, '--mount'],
    'for at in /usr/local/bin /usr/bin /bin; do for of in bwrap perl; do [ ! -e $at/$of ] || mount --bind /dev/null $at/$of; done; done',
    dir
  )
  if (noBwrap === null) t.comment('no namespaces here')
  else {
    t.deepEqual(
      [noBwrap.code, finding(noBwrap.events, 'sandbox').state, noBwrap.events.at(-1)?.['canCompute']],
      [1, 'missing', false]
    )
    t.match(
      finding(noBwrap.events, 'sandbox').message,
      /^Bubblewrap is not installed\. Install the package bubblewrap.*Perl, which the landlock sandbox needs, is not installed/
    )
    t.equal(finding(noBwrap.events, 'shell').state, 'ok', 'the rest is still looked at')
  }
  const noNetwork = inNamespaces([...user, '--net'], 'true', dir)
  if (noNetwork === null) t.comment('no namespaces here')
  else {
    const { state, message } = finding(noNetwork.events, 'discovery')
    t.deepEqual([state, finding(noNetwork.events, 'port').state], ['limited', 'ok'])
    t.match(message, /This machine has no network connection. Connect it, or name peers with --peer./)
    t.equal(
      noNetwork.events.at(-1)?.['canCompute'],
      finding(noNetwork.events, 'sandbox').state !== 'missing',
      'which keeps nobody from computing'
    )
  }
  t.end()
})

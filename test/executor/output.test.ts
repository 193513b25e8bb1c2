/**
 * What a command prints is what a reader of a pipe gets until its end, whichever process writes it and however it opens
 * it: in every tier, as root and as an ordinary user.
 */
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import type { Test } from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import type { Order } from '../fixtures/confined.ts'
import { startConfined, USERS } from '../helpers/confined.ts'
import type { Confined, Outcome } from '../helpers/confined.ts'
import { cleanUp, createFolder, rejection, until } from '../helpers/disk.ts'

interface Row extends Order {
  /** what is read, and the last line of stderr if that matters; or the code of the failure */
  ends: string | RegExp
  /** it needs /proc, which bwrap-noproc does not have */
  needsProc?: boolean
  /** it leaves its session, which Landlock's filter refuses, and which nothing ends without a sandbox */
  leaves?: boolean
}

const TIMEOUT = 'BW_ERR_COMMAND_TIMEOUT'
const soon = { timeoutMs: 1500 }
/** Waits until the parent has ended, so that it is sure who ends first. */
const whenAlone = 'while kill -0 $P 2>/dev/null; do sleep .01; done'

const rows: Row[] = [
  { command: 'echo plain', ends: 'plain\n' },
  { command: 'true', ends: '' },
  { command: 'exec > >(cat); echo substituted', ends: 'substituted\n', needsProc: true },
  { command: 'exec > >(while read -r line; do sleep .02; echo "$line"; done); printf "%s\\n" 1 2 3', ends: '1\n2\n3\n', needsProc: true },
  { command: '(sleep .2; echo late) & echo main', ends: 'main\nlate\n' },
  { command: `P=$BASHPID; (${whenAlone}; echo after) & echo before`, ends: 'before\nafter\n' },
  { command: 'set -m; (sleep .2; echo "of another group") & echo main', ends: 'main\nof another group\n' },
  { command: 'kill -0 -- -$$ && echo "leads its group"; trap "" TERM; kill 0; echo "ends nobody else"', ends: 'leads its group\nends nobody else\n' },
  { command: 'nohup sh -c "sleep .2; echo nohup" 2>/dev/null & exit 0', ends: 'nohup\n' },
  { command: 'setsid sh -c "sleep .2; echo daemon" & exit 0', ends: 'daemon\n', leaves: true },
  { command: '(setsid sh -c "sleep .2; echo daemon" &) & exit 0', ends: 'daemon\n', leaves: true },
  { command: 'echo a > /dev/stdout; echo b > /dev/stdout; echo c >> /dev/stdout', ends: 'a\nb\nc\n', needsProc: true },
  { command: 'echo a > /proc/self/fd/1; echo b > /dev/fd/1; printf c | tee /dev/stdout', ends: 'a\nb\ncc', needsProc: true },
  { command: 'echo x | dd of=/dev/stdout 2>/dev/null; echo y', ends: 'x\ny\n', needsProc: true },
  { command: 'echo a; exec 5<>/dev/stdout; echo b >&5; echo c', ends: 'a\nb\nc\n', needsProc: true },
  { command: 'echo out; echo err | tee /dev/stderr', ends: 'out\nerr\n', needsProc: true },
  { command: 'perl -e \'$| = 1; print "a\\n"; if (!fork) { select undef, undef, undef, .2; print "of a child\\n" }\'', ends: 'a\nof a child\n' },
  { command: 'coproc { cat; }; echo through >&"${COPROC[1]}"; exec {COPROC[1]}>&-; cat <&"${COPROC[0]}"', ends: 'through\n', needsProc: true },
  { command: 'echo a; exec >&-; sleep .1', ends: 'a\n' },
  { command: 'echo a; exec >&-; echo lost 2>/dev/null; true', ends: 'a\n' },
  { command: 'sleep 1000 >/dev/null & echo main', ends: 'main\n' },
  { command: 'sleep 1000 >/dev/null 2>&1 & disown; echo main', ends: 'main\n' },
  // whoever is killed for it makes the item fail
  { command: 'sleep 1000 & echo main', limits: soon, ends: TIMEOUT },
  { command: '(echo part; exec sleep 1000) & exit 0', limits: soon, ends: TIMEOUT },
  { command: '(echo part; kill -STOP $BASHPID; echo rest) & exit 0', limits: soon, ends: TIMEOUT },
  { command: 'exec > >(sleep 1000); echo lost', limits: soon, ends: TIMEOUT, needsProc: true },
  // who fails is not waited for
  { command: 'sleep 1000 & echo main; exit 3', ends: 'BW_ERR_COMMAND_EXIT' },
  { command: 'sleep 1000 & kill -SEGV $BASHPID', ends: 'BW_ERR_COMMAND_SIGNAL' },
  { command: 'exit 137', ends: /^BW_ERR_COMMAND_(EXIT|SIGNAL)$/ },
  { command: 'yes | head -c 300000 > /dev/null; exit "${PIPESTATUS[1]}"', ends: '' },
  // more than any pipe holds, more than is kept in memory, and more than it may
  { command: 'for i in {1..30000}; do echo "line $i"; done', maxOutputBytes: 1e6, ends: Array.from({ length: 30_000 }, (_, i) => `line ${i + 1}\n`).join('') },
  { command: 'head -c 3000000 /dev/zero; (sleep .1; head -c 3000000 /dev/zero) &', maxOutputBytes: 6e6, ends: '\0'.repeat(6e6) },
  { command: 'head -c 1001 /dev/zero', maxOutputBytes: 1000, ends: 'BW_ERR_COMMAND_OUTPUT' },
  { command: '(sleep .1; head -c 600 /dev/zero) & head -c 600 /dev/zero', maxOutputBytes: 1000, ends: 'BW_ERR_COMMAND_OUTPUT' },
  { command: 'yes', maxOutputBytes: 1e6, ends: 'BW_ERR_COMMAND_OUTPUT' },
  // a pipe has no size to be changed, and no room on a disk
  { command: 'for f in /dev/stdout /dev/stderr; do fallocate -n -l 64M $f 2>/dev/null && echo taken; truncate -s 1G $f 2>/dev/null && echo longer; done; echo end', ends: 'end\n', needsProc: true },
  { command: 'echo gone; : > /dev/stdout; perl -e \'truncate(STDOUT, 0) and print "cut"\'; true', ends: 'gone\n', needsProc: true },
  // stderr is nobody's result: who has it open when stdout has ended is not waited for
  { command: 'exec 3>&1 >&-; (exec 3>&-; sleep 1000) & echo said >&2; echo a >&3', ends: 'a\n' },
  { command: 'for i in {1..40000}; do echo "a line that nobody reads" >&2; done; echo end', ends: 'end\n' }
]

function check (t: Test, { command, ends }: Row, { code, message, stdoutDigest, size, stdout, stderr }: Outcome): void {
  const what = command.length > 90 ? `${command.slice(0, 90)}…` : command
  if (typeof ends !== 'string') return t.match(String(code), ends, what)
  if (ends.startsWith('BW_ERR_')) return t.equal(code, ends, `${what}: ${message}`)
  const isRight =
    code === null && size === ends.length && stdoutDigest === createHash('sha256').update(ends).digest('hex')
  t.ok(
    isRight,
    `${what}${isRight ? '' : `: ${code} ${message} ${size} bytes ${JSON.stringify(stdout.slice(0, 200))} ${stderr}`}`
  )
}

const tiers = [
  { name: 'without a sandbox', choice: 'none', order: { shells: 'fresh' } },
  { name: 'in a warm shell', choice: 'none', order: { shells: 'warm' } },
  { name: 'in bwrap', choice: 'bwrap', order: {} },
  { name: 'in a nest', choice: 'bwrap', order: { nested: true } },
  { name: 'in bwrap without /proc', choice: 'noproc', order: {} },
  { name: 'in landlock', choice: 'landlock', order: {} }
] as const

async function start (t: Test, uid: number, choice: string): Promise<Confined | null> {
  // as containers do
  const hide = [
    'unshare',
    '--mount',
    '/bin/sh',
    '-c',
    'mount --bind /proc/sys /proc/sys && exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"',
    String(uid)
  ]
  const client = choice === 'noproc' ? await startConfined(t, uid, 'bwrap', hide) : await startConfined(t, uid, choice)
  if (choice !== 'landlock' || client.tier === 'landlock') return client
  t.match(
    client.problems.join('; '),
    /^landlock does not work here .*Linux 6\.12|seccomp profile/,
    'there is none, and it is said why'
  )
  return null
}

for (const { name: user, uid } of USERS) {
  for (const { name, choice, order } of tiers) {
    if (choice === 'noproc' && process.getuid?.() !== 0) continue
    test(`as ${user}, ${name}: stdout is what is read from a pipe until its end`, async t => {
      const client = await start(t, uid, choice)
      if (client === null) return
      for (const row of rows) {
        if (row.needsProc === true && choice === 'noproc') continue
        if (row.leaves === true && choice === 'landlock') continue
        check(t, row, await client.run({ ...order, ...row }))
        await until(`nothing is left of ${row.command}`, () => client.survivors().length === 0)
      }
    })
  }
}

test('output is hashed on the way, and stored only in the part file', async t => {
  const folder = createFolder(t)
  const executor = new BashExecutor()
  cleanUp(t, () => executor.close())
  let count = 0
  for (const bytes of [0, 1, 131_072, 131_073, 1_000_000, 5_000_000]) {
    const stdout = path.join(folder, `out-${count++}`)
    const work = {
      command: `head -c ${bytes} /dev/urandom`, env: {}, cwd: folder, maxOutputBytes: 5_000_000, timeoutMs: 0
    }
    const { size, digest } = await executor.run({ ...work, stdout }).done
    const kept = readFileSync(stdout)
    t.deepEqual(
      [size, kept.length, Buffer.from(digest).toString('hex')],
      [bytes, bytes, createHash('sha256').update(kept).digest('hex')],
      `${bytes} bytes`
    )
    t.equal((await executor.run({ ...work, stdout: null }).done).size, bytes, 'or only counted')
  }
  t.equal(readdirSync(folder).length, count, 'no other file')
})

test('an item whose output cannot be kept fails', async t => {
  const folder = createFolder(t)
  const executor = new BashExecutor()
  cleanUp(t, () => executor.close())
  const err = await rejection(
    executor.run({
      command: 'head -c 1000000 /dev/zero',
      env: {},
      cwd: folder,
      stdout: '/dev/full/x',
      maxOutputBytes: 1e7,
      timeoutMs: 0
    }).done
  )
  t.equal(err.code, 'BW_ERR_OUTPUT_FOLDER')
})

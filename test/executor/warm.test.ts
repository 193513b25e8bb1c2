/**
 * Warm shells: a command cannot tell them from fresh ones, and nothing is passed from one item to the next.
 * compliance.test.ts has the requirements that both meet.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import type { Test } from 'tape'
import { CommandError } from '../../lib/base/errors.ts'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { Fifos } from '../../lib/executor/process/fifos.ts'
import { Sessions } from '../../lib/executor/process/sessions.ts'
import { Watchdog } from '../../lib/executor/process/watchdog.ts'
import type { WorkItem } from '../../lib/executor/types.ts'
import { decodeEnd, encodeJob, quote } from '../../lib/executor/warm/warm-job.ts'
import { WarmShells } from '../../lib/executor/warm/warm-shells.ts'
import { ScratchFolders } from '../../lib/store/files/scratch.ts'
import { childrenOf, isRunning, readStat } from '../../lib/system/process-table.ts'
import { cleanUp, createFolder, until } from '../helpers/disk.ts'

interface Seen { out: string, stderr: string, exitCode: number | null, signal: string | null, sid: number }

/** Runs commands one after another, each in an empty folder. */
function runner (
  t: Test, shells: 'auto' | 'fresh' | 'warm'
): { executor: BashExecutor, folder: string, run: (command: string, env?: Record<string, string>) => Promise<Seen> } {
  const folder = createFolder(t)
  const executor = new BashExecutor({ shells })
  cleanUp(t, () => executor.close())
  const run = async (command: string, env: Record<string, string> = {}): Promise<Seen> => {
    const base = mkdtempSync(path.join(folder, 'item-'))
    const [cwd, stdout] = [path.join(base, 'cwd'), path.join(base, 'out')]
    mkdirSync(cwd)
    const item = executor.run({ command, env, cwd, stdout, maxOutputBytes: 100_000, timeoutMs: 15_000 })
    const sid = item.pid!
    const end = await item.done.catch((err: unknown) => err as CommandError)
    const { exitCode, signal } = end instanceof CommandError ? end : { exitCode: 0, signal: null }
    return {
      out: readFileSync(stdout, 'utf8').replaceAll(base, 'BASE'),
      stderr: end.stderr.replaceAll(base, 'BASE'),
      exitCode,
      signal,
      sid
    }
  }
  return { executor, folder, run }
}

test('a command cannot tell a warm shell from a fresh one', async t => {
  const commands = [
    'env | grep -v ^_= | sort',
    'umask; ulimit -a; pwd; ls -lA',
    'echo "$0|$#|$*|$-|$SHLVL|$BASH|$SECONDS"; set -o; shopt',
    'trap -p; declare -F; jobs; alias',
    "declare -p | grep -v 'PIPESTATUS\\|SECONDS\\|PPID\\| _='",
    'grep "Sig[BIC]\\|NoNew\\|^Cap\\|Umask" /proc/self/status',
    'ls /proc/self/fd; readlink /proc/self/fd/0',
    '[ $PPID != $BASHPID ]; echo $?; cat',
    'echo "$BASH_EXECUTION_STRING"',
    'no-such-program',
    '\nno-such\n\nno-such\necho $LINENO',
    'if',
    ')',
    '; echo x',
    '# nothing',
    '',
    'cat <<X\nhere\nX',
    'break; continue; return 3; echo on',
    'exit',
    'exit 300',
    'set -e; false; echo no',
    'exec false',
    'exec no-such',
    'trap "echo bye" EXIT; echo a',
    'trap "echo bye" EXIT; exit 4',
    'exec >&-; echo x',
    'echo {1..3} | cat; echo ${PIPESTATUS[0]}',
    'echo a >/dev/stdout; echo b >/dev/stderr; echo c >&2',
    'printf "no newline" >&2; exit 1',
    'f () { return 7; }; f',
    '(exit 9)',
    'set -o pipefail; false | true',
    'read x; echo $?',
    'exec 9>&3',
    'echo $TRICKY; echo "$TRICKY"',
    'cd ..; pwd; cd -',
    'echo ~; echo ~+',
    'ls /no/such',
    'sleep 0.01 & wait; echo $?',
    'while :; do break; done; echo end',
    'kill -0 0; echo $?',
    "printf '\\377\\0\\n' | od -c",
    'echo grüße; echo ${#TRICKY}'
  ]
  const env = { PIECE_IDX: '7', TRICKY: 'a  b\'c"\n$(echo no) `no` \\ é\u0001*' }
  const [fresh, warm] = [runner(t, 'fresh'), runner(t, 'warm')]
  for (const command of commands) {
    const { sid: _a, ...expected } = await fresh.run(command, env)
    for (const n of [1, 2]) {
      const { sid: _b, ...actual } = await warm.run(command, { ...env })
      t.deepEqual(actual, expected, `${JSON.stringify(command)} (${n})`)
    }
  }
})

test('exit codes and signals are distinguished', async t => {
  const { run } = runner(t, 'warm')
  for (let code = 0; code < 256; code++) {
    const { exitCode, signal } = await run('exit $CODE', { CODE: String(code) })
    if (exitCode !== code || signal !== null) t.fail(`exit ${code} is seen as ${exitCode} ${signal}`)
  }
  t.pass('all exit codes')
  const names = execFileSync('bash', ['-c', 'compgen -A signal'], { encoding: 'utf8' }).split('\n')
  const kept = names.filter(
    name => name.startsWith('SIG') && !/RT|CHLD|CONT|STOP|TSTP|TTIN|TTOU|URG|WINCH|JUNK|STKFLT/.test(name)
  )
  t.ok(kept.length > 15)
  for (const name of kept) {
    for (const how of ['kill -$S $BASHPID', 'exec sh -c \'ulimit -c 0; kill -$S $$\'']) {
      // the second one speaks of $$, and so is fresh
      const { exitCode, signal } = await run(how, { S: name.slice(3) })
      if (exitCode !== null || signal !== name) t.fail(`${name} is seen as ${exitCode} ${signal}`)
    }
  }
  t.pass('all signals')
})

test('nothing goes from one item to the next', async t => {
  const { run } = runner(t, 'warm')
  const look =
    'echo "$V|$-|$PWD|$IFS|$_x"; declare -F; trap -p; alias; umask; ulimit -n; shopt -p | sort | cksum; hash 2>&1; ls -A; printf "%s\\n" "${A[@]}"; type echo; echo $PATH'
  const before = await run(`if [ "$DO" ]; then :; else ${look}; fi`, { DO: '' })
  const dirt =
    'V=1; _x=2; A=(1 2); IFS=:; f () { :; }; echo () { :; }; trap "true" EXIT USR1 CHLD; shopt -s expand_aliases extglob nullglob; alias ls=false; umask 0; ulimit -n 50; cd /; set -x -u -f; exec 8</dev/null; PATH=/nowhere; readonly V HOME PIECE_IDX; export LC_ALL=C; unset TMPDIR; >"$HOME/junk"; LINENO=77; exec 2>/dev/null'
  const again = async (): Promise<Seen> =>
    run(`if [ "$DO" ]; then ${dirt}; else ${look}; fi`, { DO: '', PIECE_IDX: '1' })
  const first = await again()
  const { sid, exitCode } = await run(`if [ "$DO" ]; then ${dirt}; else ${look}; fi`, { DO: '1', PIECE_IDX: '2' })
  const second = await again()
  t.equal(exitCode, 0)
  t.equal(sid, second.sid, 'the same shell')
  t.deepEqual(second, first)
  t.equal(first.out, before.out)
})

test('a warm shell for short items, a fresh one for others', t => {
  const folder = createFolder(t)
  const [fifos, sessions, watchdog] = [new Fifos(), new Sessions(), new Watchdog('/bin/bash')]
  const shells = new WarmShells({ shell: '/bin/bash', parentEnv: process.env, sessions, fifos, watchdog }, 'auto')
  cleanUp(t, async () => {
    await shells.close()
    await watchdog.close()
    fifos.close()
  })
  const work = (command: string): WorkItem =>
    ({ command, env: { I: '1' }, cwd: folder, stdout: path.join(folder, 'x'), maxOutputBytes: 9, timeoutMs: 0 })
  /** So many items of the command have ended, after so many milliseconds each. */
  const ended = (command: string, count: number, ms: number): void => {
    for (let i = 0; i < count; i++) shells.note(work(command), ms)
  }
  const [short, long, telling] = ['echo $I', 'sleep 0.15', 'echo $$']
  t.equal(shells.take(work(short)), null, 'not before it is known how long they take')
  ended(short, 9, 20)
  const warm = shells.take(work(short))
  t.ok(warm, 'short ones')
  const second = shells.take(work(short))
  t.notEqual(second, warm, 'one at a time')
  shells.giveBack(warm!)
  t.equal(shells.take(work(short)), warm, 'one after the other')
  ended(long, 9, 150)
  t.equal(shells.take(work(long)), null, 'not long ones')
  ended(telling, 9, 20)
  t.equal(shells.take(work(telling)), null, 'none that speak of their pid')
  ended(short, 4, 150)
  shells.giveBack(warm!)
  t.equal(shells.take(work(short)), warm, 'a few that take longer do not count')
  shells.giveBack(warm!)
  ended(short, 1, 150)
  t.equal(shells.take(work(short)), null, 'when most take longer, the next one gets a fresh shell')
  t.end()
})

test('which items share a warm shell', async t => {
  const { executor, folder, run } = runner(t, 'warm')
  const sids = async (command: string, n: number): Promise<number> => {
    const seen = new Set<number>()
    for (let i = 0; i < n; i++) seen.add((await run(command, { I: String(i) })).sid)
    return seen.size
  }
  t.equal(await sids('echo $I', 20), 1, 'twenty of one command, one after the other')
  t.equal(await sids('echo $$', 8), 8, 'none that speak of their pid')
  t.equal(await sids('echo "${!$}" $BASH_SUBSHELL', 5), 5)
  const warm = (await run('echo $I', { I: '1' })).sid
  t.notEqual((await run('echo $I', { I: 'ü'.repeat(20_000) })).sid, warm, 'a job that is too long gets a fresh shell')
  t.equal((await run('echo $I', { I: '1' })).sid, warm)
  const missing = executor.run({
    command: 'echo $I',
    env: { I: '1' },
    cwd: '/nowhere',
    stdout: path.join(folder, 'x'),
    maxOutputBytes: 9,
    timeoutMs: 0
  })
  t.equal(
    ((await missing.done.catch((err: unknown) => err as CommandError)) as CommandError).code,
    'BW_ERR_COMMAND_SPAWN',
    'an item that cannot begin says why'
  )
  await executor.close()
  t.notOk(isRunning(warm), 'none is left after close')
})

test('by itself, an executor finds out which items are short', async t => {
  const { run } = runner(t, 'auto')
  let before = -1
  for (let isShared = false; !isShared;) {
    const { sid } = await run('echo $I', { I: '1' })
    isShared = sid === before
    before = sid
  }
  t.pass('two of them have shared a shell')
})

test('shells are started ahead, also for long items', async t => {
  const { executor, folder, run } = runner(t, 'warm')
  const command = 'sleep 0.15; echo $I'
  const like = { command, env: { I: '' }, cwd: folder, stdout: path.join(folder, 'x'), maxOutputBytes: 9, timeoutMs: 0 }
  executor.prepare(like, 2)
  executor.prepare(like, 2) // begun again at once: those that wait are enough
  const watchdog = executor.watchdogPid!
  t.ok(isRunning(watchdog), 'and the watchdog')
  const shells = childrenOf(process.pid)!.filter(pid => pid !== watchdog)
  t.equal(shells.length, 2)
  const [a, b] = await Promise.all([run(command, { I: '1' }), run(command, { I: '2' })])
  t.same([a.out, b.out], ['1\n', '2\n'])
  t.same(new Set([a.sid, b.sid]), new Set(shells))
  await executor.close()
  t.notOk(shells.some(isRunning), 'none is left after close')
  executor.prepare(like, 2)
  t.same(childrenOf(process.pid), [], 'nor comes one after it')
})

test('a warm shell that dies is replaced', async t => {
  const { run } = runner(t, 'warm')
  const first = await run('echo $I', { I: '1' })
  process.kill(first.sid, 'SIGKILL')
  await until('it is gone', () => !isRunning(first.sid))
  const second = await run('echo $I', { I: '2' })
  t.equal(second.out, '2\n', 'while it waited: nobody notices')
  t.notEqual(second.sid, first.sid)
  // its pid by a way that is not seen in the text
  const parent = 'read -r _ _ _ parent _ < /proc/$BASHPID/stat; [ "$I" = 3 ] || kill -$I $parent; sleep 0.1; echo on'
  const { sid } = await run(parent, { I: '3' })
  const killed = await run(parent, { I: 'SEGV' })
  t.equal(killed.sid, sid)
  t.deepEqual([killed.exitCode, killed.signal], [null, 'SIGSEGV'], 'while an item runs: that is how the item ended')
  t.equal((await run(parent, { I: '3' })).out, 'on\n')
})

test('quote', t => {
  const all = Array.from({ length: 255 }, (_, i) => String.fromCodePoint(i + 1)).join('')
  for (const text of ['', 'plain-1.2/x', "it's", '$(x) `x`', 'a\nb', '\\', '漢字 🎉', all, '-n', '~', '!x']) {
    t.match(quote(text), /^[ -~]+$/, 'ASCII')
    t.equal(execFileSync('bash', ['-c', `printf %s ${quote(text)}x`], { encoding: 'utf8' }), `${text}x`)
  }
  t.end()
})

test('jobs and answers', t => {
  const item = { command: 'x', cwd: '/w/1', stdout: '/o', maxOutputBytes: 1, timeoutMs: 0 }
  t.equal(
    encodeJob({ ...item, env: { A: '1', B: 'c d' } }, '/proc/1/fd/2', { A: '1', B: '' }),
    "00112cd -P -- /w/1||exit 1;exec </dev/null >/proc/1/fd/2||exit 1;HOME=/w/1;TMPDIR=/w/1;PATH=${PATH%:*}:/w/1;B=$'c d';"
  )
  t.equal(encodeJob({ ...item, env: { A: 'x'.repeat(20_000) } }, '/o', {}), null, 'too long')
  t.equal(encodeJob({ ...item, env: { 'A[$(x)]': '1' } }, '/o', {}), null, 'a name that is none')
  t.equal(encodeJob({ ...item, env: { A: '\0' } }, '/o', {}), null, 'NUL')
  const table: Array<[string, string, unknown]> = [
    ['0', '', [0, null, false]],
    ['0L', '', [0, null, true]],
    ['3', '#\n[1]+  Exit 3   (x)', [3, null, false]],
    ['3', '#', [3, null, false]],
    ['1', '#\nbash: line 1: cd: /nowhere: No such file or directory\n[1]+  Exit 1  (x)', 'unsaid'],
    ['137', '#\n[1]+  Exit 137    (x)', [137, null, false]],
    ['137', '#\n[1]+  Beendet 137 (x)', [137, null, false]],
    ['137', '#\nbash: line 1: 137 Killed   (x)', [null, 'SIGKILL', false]],
    ['143L', '#\n[1]+  Terminated   (x)', [null, 'SIGTERM', true]],
    ['137', '#\n[1]+  Stopped  (x)\n[1]+  Exit 137    (x)', [137, null, false]],
    ['137', '#\nbash: line 1: 5 Killed (x)\n#', 'unsaid'],
    ['137', '', 'unsaid'],
    ['168', '#\n[1]+  Real-time signal 6 (x)', 'unsaid'],
    ['', '', 'unsaid']
  ]
  for (const [answer, log, expected] of table) {
    const end = decodeEnd(answer, () => log)
    t.deepEqual(
      end === 'unsaid' ? end : [end.exitCode, end.signal, end.hasLeft], expected, `${answer} ${JSON.stringify(log)}`
    )
  }
  t.end()
})

test('a scratch folder is used again only if nothing touched it', async t => {
  const root = createFolder(t)
  let count = 0
  const folders = new ScratchFolders(() => path.join(root, String(count++)))
  writeFileSync(path.join(root, 'data'), 'x')
  const binds = [{ path: path.join(root, 'data'), name: 'in' }]
  const first = folders.take(binds)
  await folders.giveBack(first, true)
  t.notOk(readdirSync(root).includes(path.basename(first.path)), 'its ctime was too young to tell')
  await new Promise(resolve => { setTimeout(resolve, 60) }) // what makes it old enough is time
  const second = folders.take(binds)
  await folders.giveBack(second, true)
  t.equal(folders.take(binds), second, 'an old one is used again')
  for (const touch of ['chmod 755 .', 'touch x; rm x', 'ln -sfn /etc in', 'chmod 000 .', 'mkdir a']) {
    const scratch = folders.take(binds)
    execFileSync('bash', ['-c', touch], { cwd: scratch.path })
    await folders.giveBack(scratch, true)
    t.notOk(readdirSync(root).includes(path.basename(scratch.path)), touch)
    await new Promise(resolve => { setTimeout(resolve, 60) })
  }
  const waiting = folders.take(binds)
  await folders.giveBack(waiting, true)
  writeFileSync(path.join(waiting.path, 'late'), '')
  const next = folders.take(binds)
  t.notEqual(next.path, waiting.path, 'nor is one that was touched while it waited')
  t.deepEqual(readdirSync(next.path), ['in'])
  t.deepEqual(readdirSync(folders.take([]).path), [], 'nor one with other binds')
})

test('an item that is killed when it has just ended does not take the next one with it', async t => {
  const { executor, folder, run } = runner(t, 'warm')
  const command = 'echo $N; echo $N > "$HOME/seen"'
  const { sid } = await run(command, { N: '1' })
  mkdirSync(path.join(folder, 'cwd'))
  const item = executor.run({
    command,
    env: { N: '2' },
    cwd: path.join(folder, 'cwd'),
    stdout: path.join(folder, 'out'),
    maxOutputBytes: 100,
    timeoutMs: 15_000
  })
  // its answer lies in the pipe, unread, as nothing else gets a turn here: the shell waits for a job again
  const isWaiting = (): boolean =>
    readStat(sid)![0] === 'S' && readFileSync(`/proc/${sid}/task/${sid}/children`, 'utf8') === ''
  const seen = path.join(folder, 'cwd', 'seen')
  while (!existsSync(seen) || readFileSync(seen, 'utf8') !== '2\n' || !isWaiting()) { /* look again */ }
  item.kill()
  t.ok(await item.done.catch((err: unknown) => err) instanceof Error, 'killed')
  const next = await run(command, { N: '3' })
  t.deepEqual([next.out, next.signal], ['3\n', null])
  t.notEqual(next.sid, sid, 'another shell')
})

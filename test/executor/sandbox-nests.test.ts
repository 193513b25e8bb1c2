// Sandboxes that are made in a nest look like others, and serve one work item each.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import type { Test } from 'tape'
import type { CommandError } from '../../lib/base/errors.ts'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { membersOf } from '../../lib/executor/process/sessions.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'

/** An executor in this machine's sandbox with nests however slow the machine is, and a folder for what items print. */
async function sandboxed (t: Test): Promise<{ folder: string, executor: BashExecutor }> {
  const { sandbox, problems } = await detectSandbox()
  if (sandbox === null) throw new Error(problems.join('; '))
  const folder = createFolder(t)
  const executor = new BashExecutor({ sandbox, shells: 'warm' })
  cleanUp(t, () => executor.close())
  return { folder, executor }
}

test('the sandboxes of a nest serve one item each', async t => {
  const { folder, executor } = await sandboxed(t)
  const seen =
    'grep -E "^(Sig|Shd|Cap|NoNew|Seccomp|Uid|Gid|Groups)" /proc/self/status; stat -c "%A %u %g %n" / /dev/* /dev/pts/* /scratch /tmp; env | grep -v PIECE_IDX | sort; ulimit -a; umask; nice; hostname; wc -l < /proc/net/dev; ls /proc/self/fd; stat -fc %b /scratch /tmp /dev/shm'
  const command = `ls -A /scratch /tmp /dev/shm | tr -d "\\n"; echo "$PIECE_IDX $(wc -c)"; if ((PIECE_IDX < 0)); then ${seen}; fi; touch /scratch/a /tmp/b /dev/shm/c`
  const nestedItems = new Set<number>()
  const pids = new Set<number | undefined>()
  const run = async (i: number): Promise<string> => {
    const stdout = path.join(folder, `out-${i}`)
    const work = {
      command,
      env: { PIECE_IDX: String(i), LINES: 'one\ntwo' },
      cwd: folder,
      stdout,
      maxOutputBytes: 10_000,
      timeoutMs: 0
    }
    const item = executor.run(work)
    if (pids.has(item.pid)) nestedItems.add(i) // its outermost process is that of a nest
    pids.add(item.pid)
    await item.done
    return readFileSync(stdout, 'utf8')
  }
  const look = async (i: number): Promise<string[]> => (await run(i)).split('\n').slice(1)
  const fresh = await look(-1)
  t.notOk(nestedItems.has(-1), 'no nest at first')
  t.ok(fresh.length > 50, 'what a fresh sandbox looks like')
  // on a machine that is busy even short items take long at first
  let count = 0
  do await run(count++)
  while (!nestedItems.has(count - 1))
  for (let i = 1000; i < 1040; i++) {
    t.equal(await run(i), `/dev/shm:/scratch:/tmp:${i} 0\n`, 'nothing of the one before it, and its own variables')
  }
  let last = -2
  let nested = await look(last)
  // where looking takes long, nests are given up
  for (let i = 3000; (!nestedItems.has(last) || last >= 0) && i < 4000; i++) {
    last = i % 10 === 9 ? -i : i
    nested = await look(last)
  }
  t.ok(nestedItems.has(last), 'one in a nest')
  t.deepEqual(nested, fresh, 'looks like a fresh one')
  t.equal(
    (await Promise.all(Array.from({ length: 40 }, (_, i) => run(2000 + i)))).join(''),
    Array.from({ length: 40 }, (_, i) => `/dev/shm:/scratch:/tmp:${2000 + i} 0\n`).join('')
  )
})

test('changes that a command makes to its stderr do not affect the next one', async t => {
  // F_SETFL without O_APPEND, and a place far behind every limit
  const command =
    "if ((PIECE_IDX % 2)); then echo told >&2; else perl -e 'use Fcntl; fcntl(STDERR, F_SETFL, O_RDWR); sysseek(STDERR, 1 << 40, 0)'; fi"
  for (const count of [4, 60]) {
    const { folder, executor } = await sandboxed(t)
    const seen = new Set<string>()
    for (let i = 0; i < count; i++) {
      const item = executor.run({
        command,
        env: { PIECE_IDX: String(i) },
        cwd: folder,
        stdout: path.join(folder, `${count}-${i}`),
        maxOutputBytes: 100,
        timeoutMs: 0
      })
      const said = await item.done.then(({ stderr }) => stderr, (err: Error) => err.message)
      if (i % 2 === 1) seen.add(said)
    }
    t.deepEqual([...seen], ['told'], `${count} items`)
    await executor.close()
  }
})

test('a short item that is killed reports its stderr', async t => {
  const { folder, executor } = await sandboxed(t)
  const command = 'echo why >&2; ((PIECE_IDX < 30)) || sleep 1000'
  for (let i = 0; i < 31; i++) {
    const item = executor.run({
      command,
      env: { PIECE_IDX: String(i) },
      cwd: folder,
      stdout: path.join(folder, `out-${i}`),
      maxOutputBytes: 100,
      timeoutMs: 5_000
    })
    const { stderr, code } = await item.done.then(end => ({ ...end, code: '' }), (err: CommandError) => err)
    if (i === 30) t.deepEqual([code, stderr], ['BW_ERR_COMMAND_TIMEOUT', 'why'])
    else if (stderr !== 'why') t.fail(`item ${i}: ${stderr}`)
  }
})

test('a sandbox that is killed while it waits for an item spoils no other', async t => {
  const { folder, executor } = await sandboxed(t)
  let count = 0
  // with a third one, nests are given up
  for (let kills = 0; kills < 2; count++) {
    const stdout = path.join(folder, `out-${count}`)
    const item = executor.run({
      command: 'echo "$PIECE_IDX"',
      env: { PIECE_IDX: String(count) },
      cwd: folder,
      stdout,
      maxOutputBytes: 100,
      timeoutMs: 0
    })
    const sid = item.pid!
    const seen = await item.done.then(() => readFileSync(stdout, 'utf8'), (err: unknown) => err)
    if (!(seen instanceof Error) && seen !== `${count}\n`) {
      t.fail(`item ${count} is told to have printed ${JSON.stringify(seen)}`)
    }
    const members = (membersOf(new Set([sid])).get(sid) ?? []).map(({ pid }) => pid)
    if (members.length < 4) continue // no nest, or it makes the next sandbox just now
    process.kill(Math.max(...members), 'SIGKILL')
    kills++
  }
  t.ok(count > 2, `${count} items`)
})

/** A process whose first thread has ended looks like a zombie, and lives as long as another of its threads does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import type { Test } from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { membersOf } from '../../lib/executor/process/sessions.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import { readStat } from '../../lib/system/process-table.ts'
import { cleanUp, createFolder, livingIn, rejection, until } from '../helpers/disk.ts'

const EXIT = process.arch === 'arm64' ? 93 : 60 // of one thread
/** Takes 64 MiB in a thread that outlives the first one, whose stdout is closed. */
const mainless = `perl -Mthreads -e 'threads->create(sub { close STDOUT; my $x = "a" x (64 << 20); sleep 1000 })->detach; close STDOUT; syscall(${EXIT}, 0)'`

const isMainless = (sid: number): boolean =>
  (membersOf(new Set([sid])).get(sid) ?? []).some(({ pid }) => readStat(pid)?.[0] === 'Z')

for (const choice of ['none', 'bwrap', 'landlock'] as const) {
  const run = async (t: Test, command: string, limits = {}): Promise<ReturnType<BashExecutor['run']>> => {
    const { sandbox, problems } = await detectSandbox(choice)
    if (choice !== 'none' && sandbox === null) t.match(problems.join(), /Linux 6\.12|seccomp profile/)
    const executor = new BashExecutor({ limits, ...(sandbox !== null && { sandbox }) })
    cleanUp(t, () => executor.close())
    const folder = createFolder(t)
    return executor.run({
      command, env: {}, cwd: folder, stdout: path.join(folder, 'out'), maxOutputBytes: 1000, timeoutMs: 0
    })
  }

  test(`a process without its first thread: killed, paused and counted (${choice})`, async t => {
    const left = await run(t, `${mainless} & echo main`)
    const sid = left.pid!
    t.equal((await left.done).size, 5, 'it does not hold stdout')
    await until('it ends with the item', () => livingIn(sid).length === 0 && !membersOf(new Set([sid])).has(sid))
    const item = await run(t, `${mainless} & sleep 1000`)
    await until('it runs', () => isMainless(item.pid!))
    item.pause()
    const states = (): string[] => membersOf(new Set([item.pid!])).get(item.pid!)!.map(({ state }) => state)
    await until('all of it is stopped', () => states().every(state => state === 'T'))
    item.kill()
    t.equal((await rejection(item.done)).code, 'BW_ERR_COMMAND_KILLED')
    if (choice !== 'none') return // a limit of the system ends it first
    const large = await run(t, `${mainless} & sleep 1000`, { memoryBytes: 32 * 1024 ** 2, timeoutMs: 60_000 })
    t.equal((await rejection(large.done)).code, 'BW_ERR_COMMAND_MEMORY', 'its memory counts')
  })
}

test('a process without its first thread does not survive kill -9 of the client', async t => {
  const folder = createFolder(t)
  const program = fileURLToPath(new URL('../fixtures/runaway-client.ts', import.meta.url))
  const client = spawn(process.execPath, [program, folder, 'fresh', `${mainless} & sleep 1000`], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [line] = await once(client.stdout.setEncoding('utf8'), 'data') as [string]
  const { items } = JSON.parse(line) as { items: [number] }
  await until('it runs', () => isMainless(items[0]))
  process.kill(client.pid!, 'SIGKILL')
  await once(client, 'exit')
  await until('nothing lives', () => livingIn(...items).length === 0)
  t.pass('all is gone')
})

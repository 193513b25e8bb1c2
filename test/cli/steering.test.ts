// A run that is paused, resumed and finished: by other commands, by keys and by signals; and what of it is left behind.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { readStat } from '../../lib/system/process-table.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Ended, JsonEvent, Running, Workspace } from '../helpers/cli.ts'
import { DEADLINE_MS, until } from '../helpers/disk.ts'

const PARTS = 6
const TEXT = Array.from({ length: PARTS }, (_, i) => `part ${i}\n`).join('')
let count = 0

interface Gated {
  work: Workspace
  open: () => Promise<void>
  states: () => string[]
  start: (...flags: string[]) => Running
}

/** A task whose pieces wait at a gate, and the states of their processes. */
async function gated (t: Test): Promise<Gated> {
  const work = await workspace(t)
  // a number that only these processes have among their arguments
  const mark = `0.05${process.pid}${count++}`
  await work.run(['create', '--name', 'out.txt', '--parts', String(PARTS), '--piece-length', '1K',
    '--command', `until [ -e gate/open ]; do sleep ${mark}; done; echo "part $PIECE_IDX"`])
  const gate = path.join(work.dir, 'gate')
  await mkdir(gate)
  return {
    work,
    open: async () => writeFile(path.join(gate, 'open'), ''),
    states: () => readdirSync('/proc').filter(name => /^\d+$/.test(name) && argumentsOf(name).includes(mark))
      .map(pid => readStat(pid)?.[0] ?? ''),
    start: (...flags) => work.start(
      ['run', 'out.txt.bitworker', '-j', '2', '--yes', '--json', '--bind', gate, ...OFFLINE, ...flags])
  }
}

function argumentsOf (pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

const computing = async (run: Running): Promise<void> => {
  await run.event('computing', () => run.events.filter(({ event }) => event === 'computing').length >= 2)
}

const statusOf = async (work: Workspace): Promise<JsonEvent & { running: Record<string, unknown> | null }> => {
  const { events } = await work.run(['status', '--json'])
  return events[0] as JsonEvent & { running: Record<string, unknown> | null }
}

test('pause, resume, finish', async t => {
  const { work, open, states, start } = await gated(t)
  const run = start()
  await computing(run)
  const before = await statusOf(work)
  t.deepEqual(
    [before['stored'], before['name'], before.running?.['pid'], before.running?.['computing'], before.running?.['slots']],
    [0, 'out.txt', run.pid, 'on', 2]
  )
  t.match((await work.run(['pause'])).stdout, /^out\.txt: paused: on request\n$/)
  t.deepEqual((await run.event('paused'))['reasons'], ['on request'])
  await until('its processes are stopped', () => states().every(state => state === 'T'))
  t.ok(states().length >= 2, 'both pieces are suspended')
  t.match((await work.run(['status', 'out.txt.bitworker'])).stdout, /0 of 6 pieces[^]*paused: on request[^]*2 of 2 slots busy/)
  t.match((await work.run(['resume'])).stdout, /^out\.txt: computing\n$/)
  await run.event('resumed')
  await until('its processes go on', () => states().every(state => state !== 'T'))
  t.match((await work.run(['finish', '.'])).stdout, /^out\.txt: finishing the running pieces, then it stops \(2 pieces\)\n$/)
  await run.event('finishing')
  await open()
  const { code, stderr } = await run.ended
  t.equal(code, 130, 'the task is not done')
  t.match(stderr, /Run the same command again to resume/)
  t.equal(run.events.filter(({ event }) => event === 'computed').length, 2, 'what ran has ended, and nothing else ran')
  const after = await statusOf(work)
  t.deepEqual([after['stored'], after['pieces'], after.running], [2, PARTS, null])
  t.notOk(existsSync(socketOf(work)), 'its socket is gone')
  t.equal((await start('--exit').ended).code, 0)
  t.equal(await readFile(path.join(work.dir, 'out.txt'), 'utf8'), TEXT)
  t.deepEqual((await statusOf(work))['finished'], 1)
})

function socketOf ({ dir }: Workspace): string {
  const [infoHash = ''] = readdirSync(path.join(dir, '.bitworker'))
  return path.join(dir, '.bitworker', infoHash, 'control')
}

test('finish with the last pieces is the end of the task', async t => {
  const { work, open, start } = await gated(t)
  const run = start('-j', String(PARTS))
  await run.event('computing', () => run.events.filter(({ event }) => event === 'computing').length === PARTS)
  t.equal((await work.run(['finish'])).code, 0)
  await open()
  t.equal((await run.ended).code, 0)
  t.equal(await readFile(path.join(work.dir, 'out.txt'), 'utf8'), TEXT)
})

test('after kill -9 no client runs, and the next one is asked as ever', async t => {
  const { work, open, start } = await gated(t)
  const first = start()
  await computing(first)
  first.kill('SIGKILL')
  await first.ended
  t.ok(existsSync(socketOf(work)), 'its socket is left')
  t.equal((await statusOf(work)).running, null)
  const refused = await work.run(['pause', '--json'])
  t.deepEqual([refused.code, refused.events[0]?.['code']], [2, 'BW_ERR_NOT_RUNNING'])
  const second = start('--exit')
  await computing(second)
  t.equal((await statusOf(work)).running?.['pid'], second.pid)
  await open()
  t.equal((await second.ended).code, 0)
})

test('a second run of the task shows the first', async t => {
  const { open, start } = await gated(t)
  const first = start()
  await computing(first)
  const second = start('--exit')
  t.equal((await second.event('attached'))['pid'], first.pid)
  t.deepEqual((await second.event('status'))['computing'], 'on')
  const third = start()
  await third.event('status')
  third.kill('SIGINT')
  t.equal((await third.ended).code, 130, 'it leaves the first alone')
  await open()
  t.equal((await second.ended).code, 0, 'it ends when the task is done')
  t.match(second.stderr(), /with its own flags/)
  first.kill('SIGINT')
  t.equal((await first.ended).code, 130)
})

test('a second run ends as the first one ends', async t => {
  const { work, open, start } = await gated(t)
  const first = start('--exit')
  await computing(first)
  const second = start('--exit')
  await second.event('status')
  const endless = start()
  await endless.event('status')
  // others take all connections that the socket serves at a time
  await Promise.all(Array.from({ length: 8 }, async () => {
    const socket = connect(socketOf(work)).on('error', () => {})
    t.teardown(() => { socket.destroy() })
    await once(socket, 'connect')
  }))
  const shown = endless.events.length
  await endless.event('status', () => endless.events.length > shown + 1)
  await open()
  t.equal((await first.ended).code, 0)
  for (const run of [second, endless]) {
    t.equal((await run.ended).code, 0, 'the task is done')
    t.doesNotMatch(run.stderr(), /has ended before/)
  }
})

test('nothing there', async t => {
  const work = await workspace(t)
  const { code, stderr } = await work.run(['status'])
  t.equal(code, 2)
  t.match(stderr, /No task was run in .*\. Name the folder/)
})

test('a folder that somebody else has made', async t => {
  const { work, open, start } = await gated(t)
  await open()
  t.equal((await start('--exit').ended).code, 0)
  const folder = path.dirname(socketOf(work))
  const ask = async (): Promise<Ended[]> =>
    [await work.run(['status', '.']), await work.run(['log', '.']), await work.run(['log', '.', '--failed'])]
  t.deepEqual((await ask()).map(({ code }) => code), [0, 0, 0])
  // opening a FIFO would wait for ever
  const instead = (name: string): void => {
    rmSync(path.join(folder, name), { recursive: true, force: true })
    execFileSync('mkfifo', [path.join(folder, name)])
  }
  for (const name of ['control', 'log/pieces.jsonl', 'journal', 'task.bitworker']) {
    instead(name)
    const [status, log, failed] = await ask()
    const isJournal = name === 'journal'
    t.deepEqual([status?.code, log?.code, failed?.code],
      name === 'task.bitworker' ? [2, 2, 2] : isJournal ? [2, 0, 2] : [0, 0, 0], name)
    if (isJournal) rmSync(path.join(folder, name))
  }
})

test('Ctrl-Z stops the work as well, and fg goes on', async t => {
  const { open, states, start } = await gated(t)
  const run = start('--exit')
  await computing(run)
  run.kill('SIGTSTP')
  await until('the client is stopped', () => readStat(run.pid)?.[0] === 'T')
  t.ok(states().length >= 2)
  t.deepEqual([...new Set(states())], ['T'], 'and so is all that it started')
  run.kill('SIGCONT')
  await until('they go on', () => states().every(state => state !== 'T'))
  await open()
  t.equal((await run.ended).code, 0)
})

/** A run in a terminal, and the settings of that terminal afterwards. */
function onTerminal (t: Test, work: Workspace, flags: string[]): Terminal {
  const main = new URL('../../lib/cli/main.ts', import.meta.url).pathname
  const run = [process.execPath, main, 'run', 'out.txt.bitworker', '-j', '2', '--yes', ...OFFLINE, ...flags].map(word => `'${word}'`).join(' ')
  const { CI: _, ...env } = process.env
  const child = spawn('script', ['-qefc', `stty cols 120 rows 50; ${run}; echo "code $?"; stty -a`, '/dev/null'], {
    cwd: work.dir, env: { ...env, SHELL: '/bin/bash', HOME: work.dir, TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit']
  })
  t.teardown(() => { child.kill('SIGKILL') })
  let seen = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { seen += text })
  child.stdin.on('error', () => {})
  return {
    says: async pattern => until(String(pattern), () => pattern.test(seen)),
    press: keys => { child.stdin.write(keys) },
    end: async () => {
      if (child.exitCode === null) await once(child, 'close', { signal: AbortSignal.timeout(DEADLINE_MS) })
      return seen
    }
  }
}

interface Terminal {
  says: (pattern: RegExp) => Promise<void>
  press: (keys: string) => void
  end: () => Promise<string>
}

test('keys', async t => {
  const { work, open, states } = await gated(t)
  const terminal = onTerminal(t, work, ['--bind', path.join(work.dir, 'gate')])
  await terminal.says(/Keys: p pause, r resume/)
  await terminal.says(/2 computing now/)
  terminal.press('p')
  await terminal.says(/paused: on request/)
  await until('its processes are stopped', () => states().length > 0 && states().every(state => state === 'T'))
  terminal.press('r')
  await until('they go on', () => states().every(state => state !== 'T'))
  terminal.press('xyf')
  await terminal.says(/finishing the running pieces/)
  await open()
  const seen = await terminal.end()
  t.match(seen, /code 130/)
  t.match(seen, /[^-]icanon/, 'the terminal is as it was')
  t.match(seen, / echo /)
})

for (const [what, keys] of [['q', 'q'], ['Ctrl-C', '\u0003']] as const) {
  test(`${what} ends it`, async t => {
    const { work } = await gated(t)
    const terminal = onTerminal(t, work, ['--bind', path.join(work.dir, 'gate')])
    await terminal.says(/2 computing now/)
    terminal.press(keys)
    const seen = await terminal.end()
    t.match(seen, /code 130/)
    t.match(seen, /[^-]icanon/, 'the terminal is as it was')
  })
}

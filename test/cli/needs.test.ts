// What a task needs is looked for where its commands would run, once, before anything is claimed.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--no-try', '--piece-length', '64', '--parts', '2', '--json', '--command', 'echo $PIECE_IDX; echo ran >&2']
const RUN = ['--yes', '--json', ...OFFLINE]

test('a machine that cannot compute still downloads and seeds', async t => {
  const { dir, run, start } = await workspace(t)
  // the author lacks a program that it shows by --bind; the others do not
  const made = await run([...CREATE, '--name', 'x', '--need', 'bash', '--need', 'my-tool', '--complete-command', 'cat $PART_LIST > "$FILE"'])
  t.equal(made.code, 0, made.stderr)
  t.same(made.events[0]?.['needs'], { tools: ['bash', 'my-tool'] })
  t.match((await run(['info', 'x.bitworker'])).stdout, /^ {2}it needs {4}bash, my-tool$/m)
  await writeFile(path.join(dir, 'my-tool'), '#!/bin/sh\n', { mode: 0o755 })

  const alone = await run(['run', 'x.bitworker', '-o', 'alone', '--exit', ...RUN])
  t.equal(alone.code, 1, 'nothing to hope for')
  t.same(alone.events.filter(({ event }) => event === 'computing'), [], 'nothing was begun')
  const warnings = alone.events.filter(({ event, code }) => event === 'warning' && code === 'BW_ERR_NEEDS')
  t.equal(warnings.length, 1, 'said once')
  t.match(alone.stderr, /^Warning: Nothing is computed here, only downloaded, because this machine lacks what the task needs: my-tool\.$/m, 'in one line')

  const able = start(['run', 'x.bitworker', '-o', 'able', '--bind', 'my-tool', ...RUN])
  const { port } = await able.event('listening')
  await able.event('done')
  const unable = start(['run', 'x.bitworker', '-o', 'unable', '--peer', `127.0.0.1:${String(port)}`, ...RUN])
  await unable.event('downloaded', event => event['piece'] === 0)
  await unable.event('downloaded', event => event['piece'] === 1)
  await unable.event('warning', ({ code }) => code === 'BW_ERR_NEEDS')
  const { port: second } = await unable.event('listening')
  able.kill('SIGINT')
  await able.ended
  const third = await run(['run', 'x.bitworker', '-o', 'third', '--peer', `127.0.0.1:${String(second)}`, '--bind', 'my-tool', '--exit', ...RUN])
  t.equal(third.code, 0, third.stderr)
  t.same(third.events.filter(({ event }) => event === 'downloaded').length, 2, 'all pieces from who could not compute them')
  t.equal(await readFile(path.join(dir, 'third/x'), 'utf8'), '0\n1\n')
  t.notOk((await readdir(path.join(dir, 'unable'))).includes('x'), 'and no complete command ran there')
})

test('a command among the needs finds the whole inputs', async t => {
  const { dir, run } = await workspace(t)
  const create = ['create', '--no-try', '--piece-length', '64', '--parts', '2', '--json', '--name', 'x', '--force', '--command', './tool']
  const attempt = async (text: string, ...flags: string[]): Promise<Awaited<ReturnType<typeof run>>> => {
    await writeFile(path.join(dir, 'tool'), text, { mode: 0o755 })
    const made = await run([...create, '--input', 'tool', '--need-command', './tool --version', ...flags])
    t.equal(made.code, 0, made.stderr)
    return run(['run', 'x.bitworker', '-o', String(text.length), '--exit', ...RUN])
  }
  const good = '#!/bin/bash\necho good\n'
  const bad = '#!/bin/bash\n[ -n "$PIECE_IDX" ] && echo good\n'
  // an input that is a torrent comes later than the sandbox
  const padding = `#${'x'.repeat(70_000)}\n`
  for (const [text, what] of [[good, 'in the task file'], [good + padding, 'a torrent']] as const) {
    const { code, stderr } = await attempt(text)
    t.equal(code, 0, `${what}: ${stderr}`)
    t.equal(await readFile(path.join(dir, String(text.length), 'x'), 'utf8'), 'good\ngood\n')
  }
  for (const text of [bad, `${bad}exit $?\n${padding}`]) {
    const { code, events } = await attempt(text, '--complete-command', 'cat $PART_LIST > "$FILE"')
    t.equal(code, 1)
    t.match(String(events.find(({ event }) => event === 'warning')?.['message']), /lacks what the task needs: a successful run of \.\/tool --version/)
    t.same(events.filter(({ event }) => event === 'computing' || event === 'completing'), [], 'nothing was begun')
    if (text === bad) t.equal((await run(['try', 'x.bitworker', '--yes', '--json'])).events.at(-1)?.['code'], 'BW_ERR_NEEDS')
  }
})

test('needs', async t => {
  const { run } = await workspace(t)
  for (const [flags, says] of [
    [['--need-command', 'exit 7'], /needs: a successful run of exit 7 \(The command exited with code 7\)/],
    [['--need-command', 'true', '--need-command', 'echo no >&2; false'], /a successful run of echo no >&2; false \(.*: no\)/],
    [['--need-cpus', '4096'], /needs: 4096 processors \(it has \d+\)/],
    [['--arch', 'pdp11', '--arch', 'vax', '--need', 'zzz'], /needs: a processor of pdp11 or vax \(it has \w+\), zzz/]
  ] as const) {
    t.equal((await run([...CREATE, '--name', 'y', '--force', ...flags])).code, 0)
    const { code, stderr, events } = await run(['try', 'y.bitworker', '--yes', '--json'])
    t.same([code, events.find(({ event }) => event === 'error')?.['code']], [2, 'BW_ERR_NEEDS'])
    t.match(stderr, says)
  }
  const machine = process.arch === 'x64' ? 'amd64' : 'arm64'
  t.equal((await run([...CREATE, '--name', 'y', '--force', '--need-cpus', '1', '--arch', machine, '--need', 'ls', '--need', 'cd', '--need-command', '[ -z "$PIECE_IDX" ]'])).code, 0)
  const good = await run(['try', 'y.bitworker', '--yes', '--json'])
  t.equal(good.code, 0, good.stderr)
  const wrong = await run([...CREATE, '--name', 'z', '--need', 'rm -rf'])
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /a need for "rm -rf", which is not the name of a program\. Correct --need/)
})

import { readdirSync } from 'node:fs'
import process from 'node:process'
import test from 'tape'
import type { RunningItem } from '../../lib/executor/bash-executor.ts'
import { cleanText, lastLines } from '../../lib/executor/process/stderr.ts'
import { bash, both, failure, work } from '../helpers/bash-items.ts'
import { cleanUp, createFolder, livingIn, until } from '../helpers/disk.ts'

both('stderr: a flood, escape sequences, /dev/stderr, the last lines', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const run = (command: string): RunningItem => executor.run(work(folder, command))
  const temporary = createFolder(t)
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = temporary
  cleanUp(t, () => { if (before === undefined) delete process.env['TMPDIR']; else process.env['TMPDIR'] = before })
  t.equal(
    (await run('echo one >/dev/stderr; printf "\\033[31mred\\033[0m \\a\\001two\\r\\n" >&2').done).stderr,
    'one\nred two'
  )
  const flood = await failure(run('seq 1 300000 >&2; echo last >&2; exit 1'))
  t.equal(flood.stderr.split('\n').length, 20, 'only the last lines are kept')
  t.match(flood.stderr, /\n299999\n300000\nlast$/)
  t.match(flood.message, /exited with code 1: last$/, 'the last one is in the message')
  const endless = run('yes >&2')
  await until('the flood runs', () => livingIn(endless.pid!).length > 0)
  endless.kill()
  t.equal((await failure(endless)).code, 'BW_ERR_COMMAND_KILLED', 'an endless flood is no obstacle')
  t.equal((await run('true').done).stderr, '', 'nothing of it is seen by the next one')
  t.deepEqual(readdirSync(temporary), [], 'it leaves no file behind')
  process.env['TMPDIR'] = '/nowhere'
  t.deepEqual(
    await Promise.all(
      ['echo a >&2', 'echo b >&2', 'echo c >&2'].map(async command => (await run(command).done).stderr)
    ),
    ['a', 'b', 'c'],
    'nor does it need a temporary folder'
  )
  t.deepEqual(readdirSync(folder).filter(name => name.endsWith('.stderr')), [])
})

test('lastLines and cleanText', t => {
  const table: Array<[string, string]> = [
    ['plain', 'plain'],
    ['\u001B[1;31mbold\u001B[m', 'bold'],
    ['\u001B]0;title\u0007after', 'after'],
    ['\u001B]8;;http://x\u001B\\link\u001B]8;;\u001B\\', 'link'],
    ['\u009B31mC1', 'C1'],
    ['\u001BPdevice\u001B\\x', 'x'],
    ['tab\tstays\nlines stay', 'tab\tstays\nlines stay'],
    ['10%\r20%\r\n30%', '10%\n20%\n30%'],
    ['\u202Eevil\u2066', 'evil'],
    ['\u0000\u0008\u007F\u0085', ''],
    ['cut \u001B[', 'cut ']
  ]
  for (const [raw, clean] of table) t.equal(cleanText(raw), clean, JSON.stringify(raw))
  t.equal(lastLines('rest of a line\nwhole\n', true), 'whole', 'a line that was cut is left out')
  t.equal(lastLines('only one', true), 'only one', 'unless there is no other')
  t.equal(lastLines('x'.repeat(5000), false).length, 2001, 'a long line is cut')
  t.end()
})

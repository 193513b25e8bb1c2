import { mkdir, readFile, realpath } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateSync } from 'node:zlib'
import test from 'tape'
import type { Test } from 'tape'
import { workspace } from '../helpers/cli.ts'
import { processesIn, startProgram, untilNoneIn } from '../helpers/shell.ts'
import type { Program } from '../helpers/shell.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DEMO = path.join(ROOT, 'examples/demo.ts')

interface Options { args?: string[], terminal?: boolean }

/** The demo in an empty folder, with an empty home. */
async function startDemo (
  t: Test, { args = [], terminal = false }: Options = {}
): Promise<{ dir: string, demo: Program }> {
  const files = await workspace(t)
  const dir = path.join(await realpath(files.dir), 'here')
  const home = path.join(files.dir, 'home')
  await Promise.all([mkdir(dir), mkdir(home)])
  const argv = [process.execPath, DEMO, ...args]
  const demo = startProgram(t, terminal ? ['script', '-qefc', argv.join(' '), '/dev/null'] : argv, {
    cwd: dir, env: { HOME: home, SHELL: '/bin/bash' }
  })
  return { dir, demo }
}

/** Width, height and pixels of a PNG with 8 bits a channel, RGB, unfiltered. */
function decodePng (png: Buffer): { width: number, height: number, rows: Buffer[] } {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)]
  const raw = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)))
  const stride = width * 3 + 1
  return {
    width,
    height,
    rows: Array.from({ length: raw.length / stride }, (_, y) => raw.subarray(y * stride + 1, (y + 1) * stride))
  }
}

test('npm run demo is the demo', async t => {
  const { scripts } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  t.equal(scripts['demo'], 'node examples/demo.ts', 'the file that is tested here')
})

test('the demo ends in a picture', async t => {
  const { dir, demo } = await startDemo(t, { args: ['--quick'] })
  const { code, stdout, stderr } = await demo.ended
  t.equal(code, 0, stderr)
  t.deepEqual(processesIn(dir), [], 'nothing is left running')

  const png = await readFile(path.join(dir, 'demo-output/mandelbrot.png'))
  t.equal(png.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n', 'a PNG')
  const { width, height, rows } = decodePng(png)
  t.deepEqual([width, height, rows.length], [480, 320, 320], 'of the right size')
  t.ok(rows.every(row => new Set(row).size > 20), 'there is something to see in every row')
  for (const name of ['peer-1', 'peer-2', 'peer-3', 'peer-4', 'one-process']) {
    t.ok(png.equals(await readFile(path.join(dir, 'demo-output', name, 'mandelbrot.png'))), `${name} has the same`)
  }

  const counts = [...stdout.matchAll(/^ {2}peer-\d computed (\d+) pieces and downloaded (\d+)(?:, and computed \d+ of them again as a check)?$/gm)].map(match => [
    Number(match[1]), Number(match[2])
  ])
  t.equal(counts.length, 4, 'what each peer did')
  t.ok(counts.every(([computed = 0, downloaded = 0]) => computed + downloaded === 16), 'every peer has every piece, once')
  t.match(stdout, /^ {2}100 % {2}16\/16 pieces {2}[\d.]+ s$/m, 'progress')
  t.match(stdout, /^All 4 peers have the same file: SHA-256 [0-9a-f]{64}$/m, 'the check')
  t.match(
    stdout,
    /^4 peers took [\d.]+ s, one process took [\d.]+ s: (?:[1-9][\d.]* times as fast on \d+ cores\.|no gain here\. .*)$/m,
    'the comparison'
  )
  t.doesNotMatch(stdout, / 0\.\d times as fast/, 'which boasts of nothing that is not so')
  t.ok(stdout.endsWith(`Look at it: ${dir}/demo-output/mandelbrot.png\n`), 'where to look')
  t.notOk(stdout.includes('\x1b'), 'no colours without a terminal')
})

test('Ctrl-C at a terminal ends the demo and all it started', async t => {
  const { dir, demo } = await startDemo(t, { terminal: true })
  await demo.output(/computing piece \d/)
  t.ok(processesIn(dir).length > 5, 'it runs')
  demo.write('\x03')
  const { code, stdout } = await demo.ended
  t.equal(code, 130, 'interrupted')
  t.match(stdout, /█|░/, 'there was a bar')
  await untilNoneIn(dir)
  t.pass('nothing is left running')
})

test('nothing outlives a demo that was killed', async t => {
  const { dir, demo } = await startDemo(t)
  await demo.output(/10 %/)
  process.kill(demo.pid, 'SIGKILL')
  await untilNoneIn(dir)
  t.pass('nothing is left running')
})

test('a peer that dies fails the demo', async t => {
  const { dir, demo } = await startDemo(t)
  await demo.output(/10 %/)
  const peer = processesIn(dir).find(line => line.includes('main.ts run') && line.includes('peer-2'))
  process.kill(Number.parseInt(peer ?? '', 10), 'SIGKILL')
  const { code, stderr } = await demo.ended
  t.equal(code, 1, 'exit code')
  t.match(stderr, /^peer-2: it ended with SIGKILL\n {2}│ /, 'with what the peer had to say')
  // The peer cannot end its own command any more; its guard does.
  await untilNoneIn(dir)
  t.pass('nothing is left running')
})

test('the demo knows one flag', async t => {
  const { demo } = await startDemo(t, { args: ['--quik'] })
  const { code, stderr } = await demo.ended
  t.deepEqual([code, stderr], [2, 'usage: node examples/demo.ts [--quick]\n'], 'exit code and usage')
})

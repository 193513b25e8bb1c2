/** Runs what examples/README.md tells people to run, as it stands there, and looks at what comes of it. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, readdir, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'tape'
import type { Test } from 'tape'
import { parseTask } from '../../lib/index.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running } from '../helpers/cli.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { linksOf, sectionsOf, textsOf } from '../helpers/markdown.ts'
import { startProgram, untilNoneIn } from '../helpers/shell.ts'
import { allDone, createPeer, noteEnd, ready } from '../helpers/task-swarm.ts'

const exec = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const EXAMPLES = { PATH: `${path.join(ROOT, 'examples/bin')}:${process.env['PATH'] ?? ''}` }
const PEERS = ['peer-1', 'peer-2', 'peer-3']

/** What to look at after a section's commands, in the folder they were run in. */
const CHECKS: Record<string, (t: Test, dir: string) => Promise<void>> = {
  'Squares of integers': checkSquares,
  Factors: checkFactors,
  'Pi by random points': checkPi,
  'A dictionary of hashes': checkDictionary,
  'Transcoding a video': checkVideo,
  'A video whose author checks': checkVideo,
  'The poster as a task': checkPoster
}

const [intro, ...sections] = sectionsOf(await readFile(path.join(ROOT, 'examples/README.md'), 'utf8'))
const setup = textsOf(intro!.text, 'sh').join('')

test('every section with commands is checked', t => {
  t.equal(textsOf(intro!.text, 'sh').length, 1, 'one block to begin with')
  t.deepEqual(sections.map(({ title }) => title), Object.keys(CHECKS), 'the sections')
  t.end()
})

for (const { title, text: section } of sections) {
  test(title, async t => {
    if (section.includes('ffmpeg') && !(await hasFfmpeg())) {
      return t.fail('ffmpeg is missing; install it (Debian: apt-get install ffmpeg)')
    }
    const { dir } = await workspace(t)
    const scratch = await realpath(await mkdtemp(path.join(dir, 'scratch-')))
    const script = setup + textsOf(section, 'sh').join('')
    const { code, stdout, stderr } = await startProgram(t, ['/bin/bash', '-euo', 'pipefail', '-c', script], {
      cwd: ROOT, env: { TMPDIR: scratch, HOME: dir }
    }).ended
    t.equal(code, 0, code === 0 ? 'runs' : `runs: ${stdout}${stderr}`)
    if (code !== 0) return
    for (const text of textsOf(section, 'text')) t.ok(stdout.includes(text), `prints ${text}`)
    await untilNoneIn(scratch)
    const [folder = ''] = await readdir(scratch)
    await CHECKS[title]?.(t, path.join(scratch, folder))
  })
}

test('the factors, beside a peer that lies about all of them', async t => {
  noteEnd(t)
  const { dir, run } = await workspace(t)
  const made = await startProgram(t, [path.join(ROOT, 'examples/factors/make-task.sh')], { cwd: dir, env: EXAMPLES }).ended
  t.equal(made.code, 0, made.stderr)
  const task = parseTask(await readFile(path.join(dir, 'factors.bitworker')))
  const executor = new FakeExecutor(({ env: { PIECE_IDX: i = '' } }) => {
    const number = 10n ** 17n + BigInt(i)
    return { stdout: `${number}: ${number}\n` }
  })
  const liar = await createPeer(t, task, { compute: { executor }, verify: 'off' })
  await ready(liar)
  await allDone([liar])
  const { code, stderr } = await run([
    'run', 'factors.bitworker', '-o', 'out', '--exit', '--yes', ...OFFLINE, '--peer', `127.0.0.1:${liar.client.torrentPort}`
  ])
  t.equal(code, 0, stderr)
  const numbers = (await factors()).split('\n')
  const lines = (await readFile(path.join(dir, 'out/factors.txt'), 'utf8')).split('\n')
  t.deepEqual(lines, numbers, 'every line is right')
})

test('pi, beside a peer that signs other counts', async t => {
  noteEnd(t)
  const { dir, start } = await workspace(t)
  const made = await startProgram(t, [path.join(ROOT, 'examples/montecarlo/make-task.sh')], { cwd: dir, env: EXAMPLES }).ended
  t.equal(made.code, 0, made.stderr)
  const task = parseTask(await readFile(path.join(dir, 'pi.bitworker')))
  const executor = new FakeExecutor(({ command }) => command === task.command ? { stdout: '150000 200000\n' } : {})
  const liar = await createPeer(t, task, { compute: { executor }, verify: 'audit' })
  await ready(liar)
  await allDone([liar])
  const peer = (name: string, ...more: string[]): Running => start([
    'run', 'pi.bitworker', '-o', name, '--yes', '--json', '--verify', 'audit', ...OFFLINE,
    '--peer', `127.0.0.1:${liar.client.torrentPort}`, ...more
  ])
  const first = peer('a')
  const at = `127.0.0.1:${String((await first.event('listening'))['port'])}`
  const peers = [first, peer('b', '--peer', at)]
  await Promise.all(peers.map(async each => each.event('done')))
  for (const [i, { events }] of peers.entries()) {
    const named = new Set(events.filter(({ event }) => event === 'suspected' || event === 'excluded').map(({ key }) => key))
    t.equal(named.size, 1, 'the liar is named, and nobody else')
    t.ok(events.some(({ event }) => event === 'excluded'), 'and excluded')
    t.equal(nearPi(await readFile(path.join(dir, 'ab'[i]!, 'pi.txt'), 'utf8')), 40, 'every count is one of points in a circle')
  }
})

test('a swarm that cannot do it says why', async t => {
  const { dir, run } = await workspace(t)
  await run(['create', '--name', 'x', '--parts', '2', '--command', 'echo no such luck >&2; exit 3'])
  const { code, stdout, stderr } = await startProgram(t, [path.join(ROOT, 'examples/bin/swarm'), '2', 'x.bitworker'], {
    cwd: dir, env: {}
  }).ended
  t.deepEqual([code, stdout], [1, ''], 'exit code')
  t.match(stderr, /^peer-\d: nothing is left that it could do\n[^]* no such luck$/m, 'whose command failed, and how')
})

test('the links of the README lead somewhere', async t => {
  const links = sections.flatMap(({ text }) => linksOf(text))
  t.ok(links.length > 0, 'there are some')
  for (const link of links) t.ok((await stat(path.join(ROOT, 'examples', link))).isFile(), link)
})

async function hasFfmpeg (): Promise<boolean> {
  const versions = await Promise.allSettled(['ffmpeg', 'ffprobe'].map(program => exec(program, ['-version'])))
  return versions.every(({ status }) => status === 'fulfilled')
}

async function factors (): Promise<string> {
  const numbers = Array.from({ length: 24 }, (_, i) => String(10n ** 17n + BigInt(i)))
  return (await exec('factor', numbers)).stdout
}

async function checkFactors (t: Test, dir: string): Promise<void> {
  for (const peer of PEERS) {
    t.equal(await readFile(path.join(dir, peer, 'factors.txt'), 'utf8'), await factors(), `${peer} has the factors`)
  }
}

/** The number of lines that are counts of points in a circle. */
function nearPi (text: string): number {
  return text.trim().split('\n').filter(line => Math.abs(Number(line.split(' ')[0]) - 157_080) < 1500).length
}

async function checkPi (t: Test, dir: string): Promise<void> {
  for (const peer of PEERS) t.equal(nearPi(await readFile(path.join(dir, peer, 'pi.txt'), 'utf8')), 40, `${peer} has all counts`)
}

async function checkSquares (t: Test, dir: string): Promise<void> {
  const expected = Array.from({ length: 50 }, (_, i) => `${i * i}\n`).join('')
  for (const peer of PEERS) {
    t.equal(await readFile(path.join(dir, peer, 'squares.txt'), 'utf8'), expected, `${peer} has the squares`)
  }
}

async function checkDictionary (t: Test, dir: string): Promise<void> {
  const pins = Array.from({ length: 10_000 }, (_, i) => String(i).padStart(4, '0'))
  const expected = pins.map(pin => `${createHash('sha256').update(pin).digest('hex')}  ${pin}\n`).sort().join('')
  for (const peer of PEERS) {
    t.ok((await readFile(path.join(dir, peer, 'pins.txt'), 'utf8')) === expected, `${peer} has the whole table`)
  }
}

interface Probe {
  streams: Array<{ codec_name: string, duration: string, nb_read_frames: string }>
  format: { duration: string }
}

async function checkVideo (t: Test, dir: string): Promise<void> {
  const input = path.join(dir, 'input.mp4')
  for (const peer of PEERS) {
    const file = path.join(dir, peer, 'video.mp4')
    const { stdout } = await exec('ffprobe', [
      '-v', 'error', '-count_frames', '-show_streams', '-show_format', '-of', 'json', file
    ])
    const { streams: [picture, sound], format } = JSON.parse(stdout) as Probe
    t.deepEqual([picture?.codec_name, sound?.codec_name], ['h264', 'aac'], `${peer} has picture and sound`)
    t.deepEqual([picture?.duration, picture?.nb_read_frames], ['12.000000', '300'], 'all of the picture')
    // The last AAC frame is 1024 samples, whether there is sound for it or not.
    t.ok(Math.abs(Number(format.duration) - 12) < 0.05, `and nothing more: ${format.duration} s`)
    t.ok(await likeness(input, file) > 35, 'every frame is like the same one of the input')
  }
}

/** The peak signal-to-noise ratio of the pair of frames that differs most, in dB. */
async function likeness (one: string, other: string): Promise<number> {
  // Numbered instead of timed: the two files count time in different units.
  const graph = '[0:v]settb=1/25,setpts=N[a];[1:v]settb=1/25,setpts=N[b];[a][b]psnr'
  const { stderr } = await exec('ffmpeg', ['-nostdin', '-i', one, '-i', other, '-lavfi', graph, '-f', 'null', '-'])
  return Number(/PSNR .* min:([\d.]+)/.exec(stderr)?.[1])
}

async function checkPoster (t: Test, dir: string): Promise<void> {
  const { command, completeCommand, length, inputs = [] } = parseTask(await readFile(path.join(dir, 'mandelbrot.bitworker')))
  t.equal(length, 2400 * 1600 * 3, 'three bytes for each pixel')
  const embedded = inputs.filter(({ data }) => data !== undefined).map(({ name }) => name)
  t.deepEqual(embedded, ['render.cjs', 'assemble.cjs'], 'the programs are inside')
  for (const text of [command, completeCommand]) {
    t.match(String(text), /^WIDTH=2400 HEIGHT=1600 exec node \w+\.cjs$/, 'and are run')
  }
}

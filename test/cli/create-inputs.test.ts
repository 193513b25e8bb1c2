// Tasks with inputs and parameters by the command line, and how they are shown.
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import { embeddedSlice, sliceEnv } from '../../lib/inputs/slices.ts'
import { createTask, encodeTask, parseTask } from '../../lib/task/task.ts'
import type { Task, TorrentInput } from '../../lib/task/task.ts'
import { workspace } from '../helpers/cli.ts'
import type { Workspace } from '../helpers/cli.ts'

interface Place extends Workspace { create: (...args: string[]) => Promise<Task> }

async function place (t: Test): Promise<Place> {
  const files = await workspace(t)
  return {
    ...files,
    create: async (...args) => {
      const { code, stderr } = await files.run(['create', '--name', 'x', '--command', 'true', '--force', ...args])
      if (code !== 0) throw new Error(stderr)
      return parseTask(await readFile(path.join(files.dir, 'x.bitworker')))
    }
  }
}

/** The variables of each piece of a small list. */
function entriesOf ({ inputs = [], pieceCount }: Task): Array<Record<string, string>> {
  const list = inputs.at(-1)
  if (list?.data === undefined) throw new Error('no embedded list')
  return Array.from({ length: pieceCount }, (_, piece) => sliceEnv(list, embeddedSlice(list, piece)))
}

test('inputs: a script, a folder for all, a folder a file a piece', async t => {
  const { dir, create, run } = await place(t)
  await writeFile(path.join(dir, 'resize.sh'), 'convert "$INPUT" -resize 25% jpg:-\n')
  await mkdir(path.join(dir, 'frames'))
  for (const name of ['1.png', '2.png']) await writeFile(path.join(dir, 'frames', name), new Uint8Array(50_000))
  const task = await create('--input', 'resize.sh', '--input', 'frames:all', '--input-per-part', 'frames')
  t.deepEqual(task.inputs?.map(({ name, split }) => [name, split?.by]), [['resize.sh', undefined], ['all', undefined], ['frames', 'files']])
  t.equal(task.pieceCount, 2, '--parts may be left out')
  t.deepEqual((await readdir(dir)).filter(name => name.endsWith('.torrent')), [], 'no torrent file beside it')

  const info = await run(['info', 'x.bitworker'])
  t.match(info.stdout, /it reads +resize\.sh, 35 B, in the task file \(--show-input resize\.sh\)/)
  t.match(info.stdout, new RegExp(`frames/, 97.7 KiB, torrent ${task.inputs?.[2]?.infoHash}, 2 files, one file for each piece`))
  const [event = {}] = (await run(['info', 'x.bitworker', '--json'])).events as Array<{ inputs?: object[] }>
  const [, all, frames] = (task.inputs ?? []) as TorrentInput[]
  const { infoHash, sha256 } = frames!
  t.equal(all!.name, 'all')
  const folder = { length: 100_000, source: 'torrent', files: 2 }
  t.deepEqual(event.inputs, [
    { name: 'resize.sh', length: 35, source: 'embedded' },
    { ...folder, name: 'all', infoHash: all!.infoHash, sha256: Buffer.from(all!.sha256).toString('hex') },
    { ...folder, name: 'frames', infoHash, sha256: Buffer.from(sha256).toString('hex'), split: 'files' }
  ])
})

test('the slices of a file', async t => {
  const { dir, create, run } = await place(t)
  await writeFile(path.join(dir, 'log'), new Uint8Array(100_000))
  t.deepEqual((await create('--input-per-part', 'log', '--slice', '30000')).inputs?.[0]?.split, { by: 'bytes', size: 30_000 })
  t.deepEqual((await create('--input-per-part', 'log:all.log', '--parts', '4')).inputs?.[0]?.split, { by: 'bytes', size: 25_000 })
  t.match((await run(['info', 'x.bitworker'])).stdout, /all\.log, 97.7 KiB, torrent [\da-f]{40}, 24.4 KiB for each piece/)
})

test('the content of a torrent that exists', async t => {
  const { dir, create } = await place(t)
  const info = { length: 32, name: 'other', 'piece length': 16, pieces: 'x'.repeat(40) }
  await writeFile(path.join(dir, 'disk.img.torrent'), encode({ info }))
  const [input] = (await create('--input', 'disk.img.torrent', '--parts', '1')).inputs ?? []
  t.deepEqual([input?.name, input?.length, input?.infoHash !== undefined], ['disk.img', 32, true])
})

test('lists of parameters', async t => {
  const { dir, create } = await place(t)
  await writeFile(path.join(dir, 'words.txt'), 'a b\nc')
  await writeFile(path.join(dir, 'grid.csv'), 'lr,opt\n0.1,"a, b"\n0.2,c\n')
  await writeFile(path.join(dir, 'grid.json'), '[{"n": 1}, {"n": 2}]')
  t.deepEqual(entriesOf(await create('--each-line', 'words.txt')), [{ ENTRY: 'a b' }, { ENTRY: 'c' }])
  t.deepEqual(entriesOf(await create('--params', 'grid.csv')), [
    { ENTRY: '0.1\ta, b', lr: '0.1', opt: 'a, b' }, { ENTRY: '0.2\tc', lr: '0.2', opt: 'c' }
  ])
  t.deepEqual(entriesOf(await create('--from-json', 'grid.json')), [{ ENTRY: '1', n: '1' }, { ENTRY: '2', n: '2' }])
  t.deepEqual(entriesOf(await create('--each', '1-9:4')), [{ ENTRY: '1' }, { ENTRY: '5' }, { ENTRY: '9' }])
  t.deepEqual(entriesOf(await create(':::', 'a', '-b', '--force')), [{ ENTRY: 'a' }, { ENTRY: '-b' }, { ENTRY: '--force' }])
  t.deepEqual(entriesOf(await create('--params', 'grid.csv', '--each', '1-2', ':::', 'x')), [
    { ENTRY: '0.1\ta, b\t1\tx', lr: '0.1', opt: 'a, b', ENTRY1: '1', ENTRY2: 'x' },
    { ENTRY: '0.1\ta, b\t2\tx', lr: '0.1', opt: 'a, b', ENTRY1: '2', ENTRY2: 'x' },
    { ENTRY: '0.2\tc\t1\tx', lr: '0.2', opt: 'c', ENTRY1: '1', ENTRY2: 'x' },
    { ENTRY: '0.2\tc\t2\tx', lr: '0.2', opt: 'c', ENTRY1: '2', ENTRY2: 'x' }
  ])
  const chunks = await create('--each', '1-5', '--chunk', '2')
  const [list] = chunks.inputs ?? []
  t.deepEqual([chunks.pieceCount, list?.data && Buffer.from(list.data).toString()], [3, '1\n2\n3\n4\n5\n'])
  const frames = await create('--each', '1-2', '--out-pattern', 'f-%d.png')
  t.deepEqual(frames.files.map(file => file.path), ['x/f-0.png', 'x/f-1.png'])
  const files = await create('--each', '1-5', '--file', 'a:2', '--file', 'b:3')
  t.deepEqual(files.files.map(({ path: at, parts }) => [at, parts]), [['x/a', 2], ['x/b', 3]])
})

test('--script: an input, run by the interpreter of its first line', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(path.join(dir, 'sum 1.awk'), '#!/usr/bin/awk -f\nBEGIN { print ENVIRON["ENTRY1"] + ENVIRON["ENTRY2"] }\n')
  const made = await run([
    'create', '--name', 'x', '--script', 'sum 1.awk', '--piece-length', '64', '--json', ':::', '1', '2', ':::', '10'
  ])
  t.equal(made.code, 0, made.stderr)
  const [created = {}] = made.events as Array<{ command?: string, inputs?: Array<{ name: string }>, needs?: object }>
  t.deepEqual([created.command, created.needs], ["awk -f './sum 1.awk'", { tools: ['awk'] }])
  t.deepEqual(created.inputs?.map(({ name }) => name), ['sum 1.awk', 'entries'])
  const tried = await run(['try', 'x.bitworker', '--piece', '1', '--yes'])
  t.deepEqual([tried.code, tried.stdout], [0, '12\n'], tried.stderr)
  for (const [args, expected] of [
    [['--script', 'sum 1.awk', '--command', 'true'], /Both --command and --script say what to run/],
    [['--script', 'sum 1.awk', '--command-file', 'x'], /Both --command-file and --script say what to run/],
    [['--script', 'x.bitworker'], /The input "x\.bitworker" does not begin with #!/]
  ] as const) {
    const { code, stderr } = await run(['create', '--name', 'y', '--parts', '1', ...args])
    t.equal(code, 2)
    t.match(stderr, expected)
  }
})

test('several lists: in the order of GNU parallel', async t => {
  const { dir, create } = await place(t)
  const entries = entriesOf(await create(':::', '1', '2', ':::', 'a', 'b'))
  t.deepEqual(entries.map(({ ENTRY1, ENTRY2 }) => `${ENTRY1}${ENTRY2}`), ['1a', '1b', '2a', '2b'])
  await writeFile(path.join(dir, 'words.txt'), 'x\r\ny\r\n')
  const all = entriesOf(await create(':::', '1', '2', ':::+', 'a', 'b', '::::', 'words.txt'))
  t.deepEqual(all.map(({ ENTRY }) => ENTRY?.replaceAll('\t', '')), ['1ax', '1ay', '2bx', '2by'])
  const linked = entriesOf(await create('::::', 'words.txt', '::::+', 'words.txt'))
  t.deepEqual(linked.map(({ ENTRY1, ENTRY2 }) => `${ENTRY1}${ENTRY2}`), ['xx', 'yy'])
})

const REFUSED: Array<[what: string, args: string[], expected: RegExp]> = [
  ['no number of pieces', ['--input', 'x.sh'], /number of pieces is missing.*--each-line/],
  ['parts and files', ['--parts', '1', '--file', 'a:1'], /given twice/],
  ['a slice of nothing', ['--parts', '1', '--slice', '5'], /--slice needs a file/],
  ['a chunk of nothing', ['--parts', '1', '--chunk', '5'], /--chunk needs a list/],
  ['two splits', ['--input-per-part', 'x.sh', '--each', '1-2'], /not both/],
  ['a range that is none', ['--each', '1..5'], /It must be FROM-TO/],
  ['a word', ['--parts', '1', 'word'], /A list begins with :::/],
  ['a list without values', [':::'], /has no values/],
  ['a list linked to none', [':::+', 'a'], /There is no list before :::\+/],
  ['lists of other lengths', [':::', 'a', ':::+', '1', '2'], /A list of 2 entries cannot be linked to one of 1/],
  ['a task', ['--parts', '1', '--input', 'y.bitworker'], /task:y\.bitworker/],
  ['a link that is none', ['--parts', '1', '--input', 'magnet:?xt=urn:btih:abc'], /has an info-hash of 3 characters/],
  ['a link of another kind', ['--parts', '1', '--input', 'ftp://127.0.0.1/x'], /Name a file, a folder, or a magnet link or http URL of a torrent/],
  ['a URL that nobody answers', ['--parts', '1', '--input', 'http://127.0.0.1:1/x.torrent'], /x\.torrent: The torrent cannot be fetched \(.*Check the URL/],
  ['a file that is not there', ['--parts', '1', '--input', 'none'], /".*none" does not exist/],
  ['a list that is a folder', ['--params', '.'], /The input "\." is a folder, but a file is needed\. Name a file\.$/m],
  ['a list that is not there', ['--params', 'none.csv'], /"none.csv" does not exist/],
  ['more pieces than entries', ['--parts', '3', ':::', '1', '2'], /makes 2 pieces, not 3\. Leave out the number of pieces/],
  ['two inputs of one name', ['--parts', '1', '--input', 'x.sh', '--input', './x.sh'], /same file/]
]

test('hidden files make no pieces', async t => {
  const { dir, create } = await place(t)
  await mkdir(path.join(dir, 'frames/.git'), { recursive: true })
  for (const name of ['1.png', '2.png']) await writeFile(path.join(dir, 'frames', name), name)
  const before = await create('--input-per-part', 'frames')
  for (const hidden of ['.DS_Store', '.git/HEAD']) await writeFile(path.join(dir, 'frames', hidden), 'hidden')
  const after = await create('--input-per-part', 'frames')
  t.equal(after.pieceCount, 2)
  t.equal(after.inputs?.[0]?.infoHash, before.inputs?.[0]?.infoHash)
  const [whole] = (await create('--parts', '1', '--input', 'frames')).inputs as [TorrentInput]
  t.equal(whole.files, 4, 'an input for all has them')
})

test('a placeholder of GNU parallel is not replaced, which is said', async t => {
  const { run } = await workspace(t)
  const create = ['create', '--no-try', '--name', 'x', '--force']
  const { code, stderr } = await run([...create, '--command', 'echo {}', ':::', 'a', 'b'])
  t.equal(code, 0)
  t.match(stderr, /^Warning: The command has \{\}, which is not replaced: the entry is in the variable ENTRY\. Write "\$ENTRY"\.$/m)
  for (const args of [['--command', 'find . -exec cat {} +', ':::', 'a'], ['--command', 'echo {}', '--parts', '2']]) {
    t.notOk((await run([...create, ...args])).stderr.includes('Warning'), args.join(' '))
  }
})

test('options that create rejects', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(path.join(dir, 'x.sh'), 'true\n')
  for (const [what, args, expected] of REFUSED) {
    const { code, stderr } = await run(['create', '--name', 'x', '--command', 'true', ...args])
    t.equal(code, 2, what)
    t.match(stderr, expected)
  }
  t.deepEqual((await readdir(dir)).filter(name => name.endsWith('.bitworker')), [], 'nothing is written')
})

test('an embedded input is shown as text', async t => {
  const { dir, run } = await workspace(t)
  const text = 'echo "\u001b[2J\u202e"\n\tdone\n'
  await writeFile(path.join(dir, 'x.bitworker'), encodeTask(createTask({
    name: 'x',
    command: 'true',
    parts: 1,
    inputs: [{ name: 'a.sh', data: new Uint8Array(Buffer.from(text)) }, { name: 'raw', data: new Uint8Array([0xff, 0]) }]
  })))
  const shown = await run(['info', 'x.bitworker', '--show-input', 'a.sh'])
  t.deepEqual([shown.code, shown.stdout], [0, 'echo "\\x1b[2J\\u{202e}"\n    done\n'])
  for (const [name, expected] of [['raw', /not text/], ['none', /has no input none/]] as const) {
    const { code, stderr } = await run(['info', 'x.bitworker', '--show-input', name])
    t.equal(code, 2)
    t.match(stderr, expected)
  }
})

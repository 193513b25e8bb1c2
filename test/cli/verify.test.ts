// `bitworker verify`: pieces of a finished task are judged, or computed again and compared, where it was run and
// elsewhere.
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { createTask, encodeTask, magnetOf } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'
import { workspace } from '../helpers/cli.ts'
import type { Workspace } from '../helpers/cli.ts'
import { close, openStore, put } from '../helpers/stores.ts'

const rightOf = (piece: number): string => `${piece * piece}\n`

interface Finished extends Workspace { task: Task }

/** A task whose files were finished in `out`, from these pieces. */
async function finished (
  t: Test, pieceOf: (piece: number) => string | null,
  { command = 'echo $((PIECE_IDX*PIECE_IDX))', ...options }: Partial<Parameters<typeof createTask>[0]> = {}
): Promise<Finished> {
  const files = await workspace(t)
  const task = createTask({ name: 'squares', parts: 10, pieceLength: 64, command, ...options })
  await writeFile(path.join(files.dir, 'task'), encodeTask(task))
  await mkdir(path.join(files.dir, 'out'))
  const store = await openStore(t, task, path.join(files.dir, 'out'))
  for (let piece = 0; piece < task.pieceCount; piece++) {
    const text = pieceOf(piece)
    if (text !== null) await put(store, piece, text)
  }
  if (store.results.size === task.pieceCount) {
    store.configure({ executor: new BashExecutor() })
    await store.finishFile(0, { run: true })
    await store.writeResults(() => ({ accepted: 'downloaded' }))
  }
  await close(store)
  return { ...files, task }
}

const VERIFY = ['verify', 'task', '--yes', '-o', 'out']

test('what is right', async t => {
  const { run } = await finished(t, rightOf)
  const some = await run([...VERIFY, '--sample', '4'])
  t.same([some.code, some.stdout], [0, 'of 4 drawn by lot 0 were wrong: at most 52.8 % are (95 %)\n'])
  const all = await run([...VERIFY, '--all', '--json'])
  t.equal(all.code, 0)
  t.match(all.stderr, /^all 10 pieces are as this machine computes them$/m)
  t.same(all.events.filter(({ event }) => event === 'checked').map(({ piece, right, by }) => [piece, right, by])
    .sort((a, b) => Number(a[0]) - Number(b[0])), Array.from({ length: 10 }, (_, piece) => [piece, true, 'sample']))
  t.same(all.events.at(-1), {
    event: 'verified', pieces: 10, drawn: 10, wrong: [], damaged: [], failed: [], unsure: [], repaired: [], atMost: 0, missing: 0
  })
  const few = await run(VERIFY)
  t.same([few.code, few.stdout], [0, 'all 10 pieces are as this machine computes them\n'], 'there are fewer than would be drawn')
})

test('what is wrong is found, and replaced', async t => {
  const { dir, run } = await finished(t, piece => [3, 7, 8].includes(piece) ? 'a lie\n' : rightOf(piece))
  const found = await run([...VERIFY, '--all'])
  t.equal(found.code, 3)
  t.match(found.stdout, /^of all 10 pieces 3 are wrong\nwrong: pieces 3, 7–8\n/)
  t.match(found.stdout, /^To find and replace all wrong pieces, run the same command with --all --repair\.$/m)
  const repaired = await run([...VERIFY, '--all', '--repair'])
  t.equal(repaired.code, 0, repaired.stdout)
  t.match(repaired.stdout, /^replaced by what this machine computed: 3 pieces\. The files were made again\.$/m)
  t.equal(await readFile(path.join(dir, 'out/squares'), 'utf8'), Array.from({ length: 10 }, (_, piece) => rightOf(piece)).join(''))
  const { pieces } = JSON.parse(await readFile(path.join(dir, 'out/squares.results.json'), 'utf8')) as { pieces: Array<{ accepted: string }> }
  t.same(pieces.flatMap(({ accepted }, piece) => accepted === 'computed' ? [piece] : []), [3, 7, 8])
  t.equal((await run([...VERIFY, '--all'])).code, 0, 'and is right from then on')
})

test('what is damaged stays so until it is repaired', async t => {
  const { dir, run } = await finished(t, rightOf)
  const file = path.join(dir, 'out/squares')
  const whole = await readFile(file, 'utf8')
  await writeFile(file, whole.replace('16\n', '61\n'))
  for (const time of ['first', 'second']) {
    const { code, stdout } = await run([...VERIFY, '--all'])
    t.equal(code, 3, `found the ${time} time`)
    t.match(stdout, /^of all 10 pieces 1 is wrong\ndamaged, or no longer there: piece 4\nRun the task again/)
  }
  const repaired = await run([...VERIFY, '--all', '--repair'])
  t.equal(repaired.code, 0, repaired.stdout)
  t.match(repaired.stdout, /^replaced by what this machine computed: 1 piece\. The files were made again\.$/m)
  t.equal(await readFile(file, 'utf8'), whole)
  await writeFile(file, whole.replace('16\n', '1616\n'))
  const longer = await run([...VERIFY, '--all'])
  t.equal(longer.code, 2)
  t.match(longer.stderr, /or it has changed since\. Move it away, or let bitworker run --force restore it\.\n$/)
})

test('where the files were copied', async t => {
  const { dir, run } = await finished(t, piece => piece === 4 ? 'a lie\n' : rightOf(piece))
  const listedPieces = Array.from({ length: 10 }, (_, piece) => piece === 4 ? 'a lie\n' : rightOf(piece)).join('')
  await mkdir(path.join(dir, 'copy'))
  const at = (name: string): string => path.join(dir, 'copy', name)
  await copyFile(path.join(dir, 'out/squares.results.json'), at('squares.results.json'))
  const copy = ['verify', 'task', '--yes', '-o', 'copy', '--all']
  const listed = await run(copy)
  t.equal(listed.code, 3)
  t.match(listed.stdout, /^wrong: piece 4$[^]*Only the results in squares\.results\.json were compared, because the files are not there\.$/m)
  await copyFile(path.join(dir, 'out/squares'), at('squares'))
  const there = await run(copy)
  t.match(there.stdout, /^wrong: piece 4$/m)
  t.notOk(there.stdout.includes('Only'), 'the bytes themselves')
  await writeFile(at('squares'), Array.from({ length: 10 }, (_, piece) => piece === 4 ? '16 is\n' : rightOf(piece)).join(''))
  t.match((await run(copy)).stdout, /^wrong: piece 4$/m, 'whatever the list says')
  for (const [changed, wrong] of [
    [listedPieces.replace('25\n', '255\n'), 'pieces 4–8'], [`${listedPieces}more\n`, 'piece 4'],
    [listedPieces.slice(0, -1), 'piece 4']
  ] as const) {
    await writeFile(at('squares'), changed)
    t.match((await run(copy)).stdout, new RegExp(`^wrong: ${wrong}\ndamaged, or no longer there: piece 9$`, 'm'), 'what is before it is compared')
  }
  const refused = await run([...copy, '--repair'])
  t.same([refused.code, /--repair works only where the task was run/.test(refused.stderr)], [2, true])
  for (const [text, says] of [
    ['{}', /belongs to another task/], ['x', /not JSON/],
    [(await readFile(at('squares.results.json'), 'utf8')).replace('"size":2', '"size":-2'), /its entry 0 is not a result/]
  ] as const) {
    await writeFile(at('squares.results.json'), text)
    const { code, stderr } = await run(copy)
    t.equal(code, 2)
    t.match(stderr, says)
  }
  await rm(at('squares.results.json'))
  const nothing = await run(copy)
  t.equal(nothing.code, 2)
  t.match(nothing.stderr, /contains nothing of squares: .*Name the folder of its files with -o\.\n$/)
})

test('results that differ from run to run', async t => {
  const { run } = await finished(t, rightOf, { command: 'head -c 8 /dev/urandom | od -An -tx1' })
  const { code, stdout } = await run(VERIFY)
  t.equal(code, 3)
  t.match(stdout, /^Two runs of piece \d on this machine differ: the results of this task cannot be checked by comparing them\.\n$/)
})

test('a verify command judges what is there, here and on a copy', async t => {
  // no two machines print the same, and both are right
  const options = { command: 'sleep 60', verifyCommand: 'read -r n rest; ((n == PIECE_IDX * PIECE_IDX)); code=$?; ((PIECE_IDX == 7)) && code=5; exit $code', deterministic: false }
  const lies = await finished(t, piece => piece === 4 ? '17 by x\n' : piece === 7 ? '' : `${piece * piece} by x\n`, options)
  const { code, stdout, events } = await lies.run([...VERIFY, '--all', '--json'])
  t.equal(code, 3, 'and nothing was computed')
  t.same(events.find(({ event, piece }) => event === 'checked' && piece === 4), { event: 'checked', piece: 4, right: false, state: 'wrong', by: 'verify' })
  t.match(stdout, /"wrong":\[4\],"damaged":\[\],"failed":\[7\]/)
  await mkdir(path.join(lies.dir, 'copy'))
  for (const name of ['squares', 'squares.results.json']) {
    await copyFile(path.join(lies.dir, 'out', name), path.join(lies.dir, 'copy', name))
  }
  const copied = await lies.run(['verify', 'task', '--yes', '-o', 'copy', '--all'])
  t.equal(copied.code, 3)
  t.match(copied.stdout, /^of all 10 pieces 1 is wrong|^of 9 drawn by lot 1 were wrong/m)
  t.match(copied.stdout, /^wrong: piece 4\nnot checked: piece 7\. The verify command cannot tell: The command exited with code 5\.\n/m)
  t.notOk(copied.stdout.includes('Another version'), 'it is wrong, wherever it is judged')
  await rm(path.join(lies.dir, 'copy/squares'))
  const digests = await lies.run(['verify', 'task', '--yes', '-o', 'copy', '--all'])
  t.equal(digests.code, 2)
  t.match(digests.stderr, /The verify command of squares needs the bytes of the pieces, and only their digests are there\. Verify it where it was run, or copy the files as well\.\n$/)
  const right = await finished(t, rightOf, { ...options, verifyCommand: 'read -r n; ((n == PIECE_IDX * PIECE_IDX))' })
  const all = await right.run([...VERIFY, '--all'])
  t.same([all.code, all.stdout], [0, 'the verify command finds all 10 pieces right\n'])
})

test('a wrong piece is replaced by one that the verify command finds right', async t => {
  const { dir, run } = await finished(t, piece => [4, 5].includes(piece) ? 'a lie\n' : rightOf(piece), {
    command: '((PIECE_IDX == 5)) && echo broken || echo $((PIECE_IDX*PIECE_IDX))', verifyCommand: 'read -r n; ((n == PIECE_IDX * PIECE_IDX))'
  })
  const { code, stdout } = await run([...VERIFY, '--all', '--repair'])
  t.equal(code, 3, 'one is still wrong')
  t.match(stdout, /^wrong: pieces 4–5\nnot replaced: piece 5\. The verify command finds what this machine computes wrong as well\.$/m)
  t.match(stdout, /^replaced by what this machine computed: 1 piece\. The files were made again\.$/m)
  t.match(await readFile(path.join(dir, 'out/squares'), 'utf8'), /^9\n16\na lie\n36$/m)
})

test('a compare command says which results are the same', async t => {
  const { run } = await finished(t, piece => piece === 4 ? '5.1\n' : `${piece}.1\n`, {
    command: 'echo $PIECE_IDX.$RANDOM', compareCommand: 'IFS=. read -r a _ < a; IFS=. read -r b _ < b; ((a == b))'
  })
  const { code, stdout } = await run([...VERIFY, '--all'])
  t.equal(code, 3)
  t.match(stdout, /^of all 10 pieces 1 is wrong\nwrong: piece 4\n/)
})

test('files that a complete command made', async t => {
  const options = { completeCommand: 'cat $PART_LIST > "$FILE"; echo end >> "$FILE"' }
  const { dir, run, task } = await finished(t, rightOf, options)
  const all = await run([...VERIFY, '--all', '--json'])
  t.equal(all.code, 0)
  t.match(all.stderr, /^all 10 pieces are as this machine computes them\nsquares: what the complete command makes of these pieces$/m)
  t.same(all.events.at(-1)?.['files'], [{ path: 'squares', state: 'right' }])
  const some = await run([...VERIFY, '--sample', '3'])
  t.equal(some.code, 0)
  t.match(some.stdout, /^squares: as it was when it was made; to see whether it was made of these pieces, check --all$/m)

  await mkdir(path.join(dir, 'copy'))
  const at = (name: string): string => path.join(dir, 'copy', name)
  await copyFile(path.join(dir, 'out/squares.results.json'), at('squares.results.json'))
  await copyFile(path.join(dir, 'out/squares'), at('squares'))
  const copy = ['verify', 'task', '--yes', '-o', 'copy', '--all']
  const copied = await run(copy)
  t.same([copied.code, copied.stdout], [0, 'all 10 pieces are as this machine computes them\nsquares: what the complete command makes of these pieces\n'])
  // a list that knows of the change does not help
  const file = path.join(dir, 'out/squares')
  const text = (await readFile(file, 'utf8')).replace('end', 'END')
  await writeFile(at('squares'), text)
  t.match((await run(copy)).stdout, /^squares: changed since it was made, or gone$/m)
  const list = await readFile(at('squares.results.json'), 'utf8')
  const digest = createHash('sha256').update(text).digest('hex')
  await writeFile(at('squares.results.json'), list.replace(/"sha256":"[0-9a-f]+"/, `"sha256":"${digest}"`))
  const lying = await run(copy)
  t.equal(lying.code, 3)
  t.match(lying.stdout, /^squares: not what the complete command makes of these pieces here$/m)
  const link = await run(['verify', magnetOf(task), '--yes', '-o', 'copy'])
  t.equal(link.code, 2)
  t.match(link.stderr, /contains nothing of it\. Name the folder in which it was run with -o; to check a copy of its files, name the task file, as a link does not contain the task\.\n$/)
  t.equal((await run(['verify', magnetOf(task), '--yes', '-o', 'out'])).code, 0, 'where it was run, a link is enough')

  await writeFile(file, text)
  const changed = await run([...VERIFY, '--all'])
  t.equal(changed.code, 3)
  t.match(changed.stdout, /^squares: changed since it was made, or gone\nRun the task again in that folder: it restores what is damaged\.$/m)
  const random = await finished(t, rightOf, { completeCommand: 'echo $RANDOM$RANDOM > "$FILE"' })
  const unsure = await random.run([...VERIFY, '--all'])
  t.equal(unsure.code, 3)
  t.match(unsure.stdout, /^squares: not checked, because two runs of the complete command on this machine differ$/m)
})

test('pieces that fail, and pieces that are missing', async t => {
  const { run } = await finished(t, piece => piece > 7 ? null : rightOf(piece), { command: '((PIECE_IDX == 2)) && exit 5; echo $((PIECE_IDX*PIECE_IDX))' })
  const { code, stdout } = await run(VERIFY)
  t.equal(code, 1)
  t.equal(stdout, [
    'of 7 drawn by lot 0 were wrong: at most 34.9 % are (95 %)', 'not checked: piece 2. The command exited with code 5.',
    'not there yet: 2 pieces of 10', ''
  ].join('\n'))
})

test('wrong usage, and an interruption', async t => {
  const { start, run, dir } = await finished(t, rightOf, { command: 'echo begun >&2; sleep 600' })
  const both = await run([...VERIFY, '--all', '--sample', '3'])
  t.same([both.code, /Leave out one of them/.test(both.stderr)], [2, true])
  const unasked = await run(['verify', 'task', '-o', 'out'])
  t.same([unasked.code, /no terminal to ask for your consent\. Pass --yes/.test(unasked.stderr)], [2, true])
  const TMPDIR = await mkdtemp(path.join(tmpdir(), 'bitworker-cli-'))
  t.teardown(async () => { await rm(TMPDIR, { recursive: true }) })
  const running = start([...VERIFY, '--json'], { env: { TMPDIR } })
  await running.event('sandbox')
  running.kill('SIGINT')
  t.equal((await running.ended).code, 130)
  t.same(await readdir(TMPDIR), [], 'nothing is left')
  t.equal((await readFile(path.join(dir, 'out/squares'), 'utf8')).length, 26, 'the files are as they were')
})

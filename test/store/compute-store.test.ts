import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import type { Test } from 'tape'
import type { CommandError } from '../../lib/base/errors.ts'
import { sameResult } from '../../lib/results/result.ts'
import { ComputeStore } from '../../lib/store/compute-store.ts'
import { removeTree } from '../../lib/store/files/folders.ts'
import { StoreLayout } from '../../lib/store/files/layout.ts'
import { startTimeOf } from '../../lib/system/process-table.ts'
import { createTask, parseTask } from '../../lib/task/task.ts'
import { cleanUp, createFolder, livingIn, rejection, until } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { close, createStore, filesIn, get, openStore, put, sha256, squares } from '../helpers/stores.ts'

/**
 * What is in a task's work folder but the folders that wait for the next work items, with nothing but binds in them.
 */
function leftIn (work: string): string[] {
  return readdirSync(work, { withFileTypes: true })
    .filter(entry => !entry.isDirectory() || !holdsLinksOnly(path.join(work, entry.name))).map(({ name }) => name)
}

function holdsLinksOnly (dir: string): boolean {
  return readdirSync(dir, { withFileTypes: true }).every(entry => entry.isSymbolicLink())
}

test('pieces of any length up to the piece length', async t => {
  const store = await openStore(t, squares(), createFolder(t))
  t.equal(store.chunkLength, 100)
  for (const [index, length] of [[0, 0], [1, 1], [2, 100]] as const) {
    await put(store, index, 'x'.repeat(length))
    t.equal(await get(store, index), 'x'.repeat(length), `${length} bytes`)
    t.deepEqual(store.results.get(index), { size: length, digest: new Uint8Array(sha256('x'.repeat(length))) })
  }
  t.equal((await rejection(put(store, 3, 'x'.repeat(101)))).code, 'BW_ERR_PIECE_RANGE', 'one byte more is refused')
  t.equal((await rejection(put(store, 8, 'x'))).code, 'BW_ERR_PIECE_RANGE', 'so is a piece that the task has not')
  await put(store, 4, '0123456789')
  t.equal(await get(store, 4, { offset: 2, length: 3 }), '234')
  t.equal(await get(store, 4, { offset: 7 }), '789')
  t.equal(await get(store, 4, { offset: 10, length: 0 }), '')
  for (const opts of [{ offset: 8, length: 3 }, { offset: -1 }, { offset: 11 }, { offset: 0.5, length: 1 }]) {
    t.equal((await rejection(get(store, 4, opts))).code, 'BW_ERR_PIECE_RANGE', JSON.stringify(opts))
  }
  store.put(5, Buffer.from('by callback'))
  const err = await new Promise(resolve => { store.put(5, Buffer.from('by callback again'), resolve) })
  t.equal(err, null)
  t.equal(await get(store, 5), 'by callback again', 'put replaces')
  t.deepEqual(store.lost, [])
})

test('large pieces, many readers', async t => {
  const store = await openStore(t, squares({ pieceLength: 4_000_000, parts: 100 }), createFolder(t))
  const big = Buffer.alloc(3_500_001, 'abcdefg')
  await put(store, 0, big)
  t.ok(Buffer.from(await get(store, 0), 'latin1').equals(big))
  for (let index = 1; index < 100; index++) await put(store, index, `piece ${index}`)
  const chunks = await Promise.all(Array.from({ length: 500 }, (_, i) => get(store, i % 100, { offset: 0, length: 6 })))
  t.ok(
    chunks.every((chunk, i) => chunk === (i % 100 === 0 ? 'abcdef' : 'piece ')),
    'more pieces at a time than files are kept open'
  )
  await close(store)
  const again = await openStore(t, store.task, store.layout.folder)
  t.equal(again.results.size, 100, 'all of it is found intact')
})

test('a get of a missing piece is an error, and runs nothing', async t => {
  const executor = new FakeExecutor()
  const store = await openStore(t, squares(), createFolder(t), { executor })
  for (let index = 0; index < 8; index++) t.equal((await rejection(get(store, index))).code, 'BW_ERR_PIECE_MISSING')
  t.deepEqual(executor.items, [])
  t.deepEqual(store.lost, [], 'what was never there is not lost')
})

test('stored pieces are there after a restart, if they are intact', async t => {
  const folder = createFolder(t)
  const task = squares()
  const first = await openStore(t, task, folder)
  for (let index = 0; index < 7; index++) await put(first, index, `piece ${index}`)
  await close(first)
  t.deepEqual(parseTask(readFileSync(first.layout.taskFile)).infoHash, task.infoHash, 'the task file is kept')
  t.deepEqual(filesIn(first.layout.root), [
    'journal', ...[0, 1, 2, 3, 4, 5, 6].map(i => `p/00000${i}`), 'task.bitworker'
  ])

  const part = (index: number): string => first.layout.part(index)
  writeFileSync(part(0), 'Piece 0') // same size, other content
  truncateSync(part(1), 3)
  rmSync(part(2))
  renameSync(part(3), path.join(folder, 'elsewhere'))
  symlinkSync(path.join(folder, 'elsewhere'), part(3))
  rmSync(part(4))
  execFileSync('mkfifo', [part(4)])
  writeFileSync(part(7), 'never written down')
  mkdirSync(path.join(first.layout.work, 'left', 'over'), { recursive: true })
  const second = await openStore(t, task, folder)
  t.deepEqual([...second.results.keys()], [0, 5, 6], 'short, missing, a link, a FIFO, unknown: all missing')
  t.equal(await get(second, 5), 'piece 5')
  for (const opts of [{}, { offset: 3, length: 2 }]) {
    t.ok(
      ['BW_ERR_PIECE_LOST', 'BW_ERR_PIECE_MISSING'].includes((await rejection(get(second, 0, opts))).code!),
      'of one that was changed no byte leaves'
    )
  }
  t.deepEqual([second.lost, [...second.results.keys()]], [[0], [5, 6]])
  t.deepEqual(readdirSync(second.layout.parts), ['000005', '000006'], 'their parts are removed')
  t.deepEqual(readdirSync(second.layout.work), [], 'and so is unfinished work')
  t.equal(readFileSync(path.join(folder, 'elsewhere'), 'utf8'), 'piece 3', 'nothing is done through a link')
  await put(second, 0, 'piece 0')
  await close(second)
  const third = await openStore(t, task, folder)
  t.deepEqual([...third.results.keys()], [0, 5, 6], 'what was stored anew counts')
})

test('a piece that is gone or damaged is reported once', async t => {
  const store = await openStore(t, squares(), createFolder(t))
  for (let index = 0; index < 5; index++) await put(store, index, `piece ${index}`)
  const part = (index: number): string => store.layout.part(index)
  rmSync(part(0))
  const two = await Promise.all([rejection(get(store, 0)), rejection(get(store, 0))])
  t.deepEqual(two.map(({ code }) => code), ['BW_ERR_PIECE_LOST', 'BW_ERR_PIECE_LOST'], 'a part that is gone')
  t.equal((await rejection(get(store, 0))).code, 'BW_ERR_PIECE_MISSING', 'is missing from then on')
  t.deepEqual(store.lost, [0])
  truncateSync(part(1), 3)
  t.equal((await rejection(get(store, 1, { offset: 0, length: 3 }))).code, 'BW_ERR_PIECE_LOST', 'a part that was cut')
  writeFileSync(part(2), 'Piece 2')
  t.equal(await store.verify(3), true)
  t.equal(await store.verify(2), false, 'verify finds other content')
  t.equal(await store.verify(7), false, 'and nothing')
  rmSync(part(4))
  mkdirSync(part(4))
  t.equal(await store.verify(4), false, 'and a folder in its place')
  t.deepEqual(store.lost, [0, 1, 2, 4])
  t.deepEqual([...store.results.keys()], [3])
  await put(store, 0, 'once more')
  t.equal(await get(store, 0), 'once more', 'a lost piece can be stored again')
})

//
// THE FOLDER
//

async function codeOfOpen (t: Test, folder: string, task = squares(), force = false): Promise<unknown> {
  const store = createStore(t, task, folder, { force })
  const code = await store.open().then(() => null, (err: { code?: string }) => err.code)
  await close(store)
  return code
}

/** As a user who may not write everywhere. */
async function unprivileged<T> (fn: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return fn()
  process.seteuid!(65534)
  try {
    return await fn()
  } finally {
    process.seteuid!(0)
  }
}

test('a folder that cannot be used', async t => {
  const folder = createFolder(t)
  writeFileSync(path.join(folder, 'file'), '')
  t.equal(await codeOfOpen(t, path.join(folder, 'file')), 'BW_ERR_OUTPUT_FOLDER', 'a file')
  t.equal(await codeOfOpen(t, path.join(folder, 'file', 'below')), 'BW_ERR_OUTPUT_FOLDER', 'below a file')
  t.equal(await codeOfOpen(t, '/proc/nowhere'), 'BW_ERR_OUTPUT_FOLDER', 'where nothing can be created')
  mkdirSync(path.join(folder, 'locked'))
  chmodSync(path.join(folder, 'locked'), 0o555)
  chmodSync(folder, 0o755)
  const store = createStore(t, squares(), path.join(folder, 'locked'))
  const err = await unprivileged(() => rejection(store.open()))
  t.equal(err.code, 'BW_ERR_OUTPUT_FOLDER', 'not writable')
  t.match(err.message, /permission denied/)
  t.equal(await codeOfOpen(t, path.join(folder, 'new', 'nested')), null, 'one that does not exist yet is made')
})

test('a symbolic link in the way is refused', async t => {
  const task = squares({ files: [{ path: 'sub/deep/a', parts: 2 }] })
  const elsewhere = createFolder(t)
  const places = [
    '.bitworker',
    `.bitworker/${task.infoHash}`,
    `.bitworker/${task.infoHash}/p`,
    `.bitworker/${task.infoHash}/work`,
    'squares',
    'squares/sub/deep'
  ]
  for (const place of places) {
    const folder = createFolder(t)
    mkdirSync(path.dirname(path.join(folder, place)), { recursive: true })
    symlinkSync(elsewhere, path.join(folder, place))
    t.equal(await codeOfOpen(t, folder, task), 'BW_ERR_SYMLINK', place)
  }
  const folder = createFolder(t)
  mkdirSync(path.join(folder, 'squares'))
  writeFileSync(path.join(folder, 'squares', 'sub'), '')
  t.equal(await codeOfOpen(t, folder, task), 'BW_ERR_OUTPUT_FOLDER', 'a file where a folder should be')
  t.deepEqual(readdirSync(elsewhere), [], 'nothing was written through a link')
})

test('a file that is not ours is never overwritten without force', async t => {
  const task = squares({ files: [{ path: 'a', parts: 1 }, { path: 'b', parts: 1 }] })
  const folder = createFolder(t)
  mkdirSync(path.join(folder, 'squares'))
  writeFileSync(path.join(folder, 'squares', 'b'), 'precious')
  t.equal(await codeOfOpen(t, folder, task), 'BW_ERR_FILE_EXISTS')
  t.equal(await codeOfOpen(t, folder, task, true), null, 'with force it will be')
  t.equal(readFileSync(path.join(folder, 'squares', 'b'), 'utf8'), 'precious', 'but not yet')
  rmSync(path.join(folder, 'squares', 'b'))
  symlinkSync('/nowhere', path.join(folder, 'squares', 'b'))
  t.equal(await codeOfOpen(t, folder, task), 'BW_ERR_FILE_EXISTS', 'a dangling link is a file, too')
  rmSync(path.join(folder, 'squares', 'b'))
  mkdirSync(path.join(folder, 'squares', 'b'))
  t.equal(
    await codeOfOpen(t, folder, task, true),
    'BW_ERR_OUTPUT_FOLDER',
    'a folder is not overwritten even with force'
  )
})

test('one process at a time', async t => {
  const folder = createFolder(t)
  const task = squares()
  const layout = new StoreLayout(folder, task.infoHash)
  const first = await openStore(t, task, folder)
  const err = await rejection(createStore(t, task, folder).open())
  t.equal(err.code, 'BW_ERR_LOCKED')
  t.match(err.message, new RegExp(`pid ${process.pid}\\)`))
  t.equal(await codeOfOpen(t, folder, squares({ name: 'other' })), null, 'another task may use the folder')
  await close(first)
  t.notOk(existsSync(layout.lock), 'given back')

  const gone = spawnSync(process.execPath, ['-e', 'console.log(process.pid)'], { encoding: 'utf8' }).stdout.trim()
  const stale = [`${gone} 12345\n`, `${process.pid} 1\n`, '', 'garbage', '-1 5', '0 0']
  for (const lock of stale) {
    writeFileSync(layout.lock, lock)
    t.equal(await codeOfOpen(t, folder), null, `taken over from ${JSON.stringify(lock)}`)
  }
  writeFileSync(layout.lock, `${process.ppid} ${startTimeOf(process.ppid)}\n`)
  t.equal(await codeOfOpen(t, folder), 'BW_ERR_LOCKED', 'another living process')
  t.equal(readFileSync(layout.lock, 'utf8').split(' ')[0], String(process.ppid), 'keeps its lock')

  writeFileSync(layout.lock, `${gone} 12345\n`)
  const rivals = await Promise.all(Array.from({ length: 8 }, async () => {
    const store = createStore(t, task, folder)
    return store.open().then(() => 'open', (error: { code?: string }) => error.code)
  }))
  t.deepEqual(
    rivals.filter(outcome => outcome === 'open').length, 1, 'of eight that find a stale lock, one has the folder'
  )
  t.deepEqual(readdirSync(layout.root).filter(name => name.startsWith('lock')), ['lock'], 'and no draft is left over')
})

test('a full disk', t => {
  const program = fileURLToPath(new URL('../fixtures/full-disk.ts', import.meta.url))
  const clean = { parts: [], work: [] }
  // the limit of a file's size works everywhere; a tiny disk is the real thing, where one can be mounted
  const limited = createFolder(t)
  const run = spawnSync('/bin/bash', ['-c', 'ulimit -f 512; exec "$0" "$@"', process.execPath, program, limited], {
    encoding: 'utf8'
  })
  const seen = JSON.parse(run.stdout) as Record<string, unknown>
  t.deepEqual(
    [seen['put'], seen['afterPut']], ['BW_ERR_DISK_FULL', clean], 'a put that does not fit leaves nothing behind'
  )
  t.equal(seen['small'], null, 'one that fits is stored afterwards')
  const full = ['BW_ERR_DISK_FULL', 'BW_ERR_DISK_FULL']
  t.deepEqual(seen['drafts'], full, 'blocks of a piece that do not fit')

  const disk = createFolder(t)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', disk]).status === 0) {
    cleanUp(t, () => { spawnSync('umount', [disk]) })
    const onDisk = JSON.parse(spawnSync(process.execPath, [program, disk], { encoding: 'utf8' }).stdout) as Record<
      string,
      unknown
    >
    t.deepEqual(
      [onDisk['put'], onDisk['afterPut'], onDisk['small']],
      ['BW_ERR_DISK_FULL', clean, null],
      'the same on a disk of 512 KiB'
    )
    t.deepEqual(onDisk['drafts'], full, 'and its blocks')
    t.equal(onDisk['generated'], 'BW_ERR_DISK_FULL', 'a command that hides it is found out')
    t.deepEqual(onDisk['afterAll'], { parts: ['000001'], work: [] })
  }
  t.end()
})

test('close and destroy', async t => {
  const folder = createFolder(t)
  const store = await openStore(t, squares(), folder)
  const pending = new Promise(resolve => { store.put(0, Buffer.from('on its way'), resolve) })
  await close(store)
  await close(store)
  t.equal(await pending, null)
  t.ok(existsSync(store.layout.part(0)), 'close waits for what is on its way')
  t.equal((await rejection(put(store, 1, 'x'))).code, 'BW_ERR_STORE_CLOSED')
  t.equal((await rejection(get(store, 0))).code, 'BW_ERR_STORE_CLOSED')
  t.equal((await rejection(Promise.resolve().then(() => store.generate(0)))).code, 'BW_ERR_STORE_CLOSED')
  const unopened = createStore(t, squares(), folder)
  t.equal((await rejection(put(unopened, 1, 'x'))).code, 'BW_ERR_STORE_CLOSED', 'not open yet')
  await close(unopened)
  t.equal((await rejection(unopened.open())).code, 'BW_ERR_STORE_CLOSED', 'never opened')

  const again = await openStore(t, squares(), folder)
  await new Promise(resolve => { again.destroy(resolve) })
  t.deepEqual(readdirSync(folder), [], 'destroy leaves nothing')
  const opening = createStore(t, squares(), folder)
  const opened = opening.open()
  await close(opening)
  await opened
  t.equal(await codeOfOpen(t, folder), null, 'closed while it was opening, the folder is free')
  const many = await openStore(t, squares({ parts: 1000 }), folder)
  await Promise.all(Array.from({ length: 1000 }, (_, index) => put(many, index, 'x')))
  await close(many)
  const checking = createStore(t, many.task, folder)
  const checked = rejection(checking.open())
  await close(checking)
  t.equal((await checked).code, 'BW_ERR_ABORTED', 'close ends the check of what is stored')
  t.equal((await openStore(t, many.task, folder)).results.size, 1000, 'and nothing is lost by it')
})

//
// COMPUTING
//

test('generate computes a piece in a fresh scratch folder', async t => {
  const folder = createFolder(t)
  const bound = path.join(createFolder(t), 'video file.mp4')
  writeFileSync(bound, 'frames')
  const command =
    'touch junk; mkdir -p d/e; pwd; ls -A; cat input; echo $PIECE_IDX $FILE_IDX $PART_IDX $PIECE_COUNT $PART_COUNT $FILE $PIECE_LENGTH $TASK_NAME'
  const task = squares({ command, pieceLength: 1000, files: [{ path: 'a', parts: 3 }, { path: 'b', parts: 2 }] })
  const store = await openStore(t, task, folder, {
    binds: [
      { path: bound, name: 'input' }, { path: path.dirname(bound), name: 'dir' }
    ]
  })
  const generation = store.generate(4)
  t.equal(generation.piece, 4)
  const { size, digest, ms } = await generation.done
  const lines = (await get(store, 4)).trimEnd().split('\n')
  t.match(lines.shift()!, /\/work\/[^/]+$/, 'its working directory')
  t.deepEqual(lines, ['d', 'dir', 'input', 'junk', 'frames4 1 1 5 2 squares/b 1000 squares'])
  t.ok(sameResult(store.results.get(4)!, { size, digest }))
  t.deepEqual(Buffer.from(digest), sha256(Buffer.from(await get(store, 4), 'latin1')))
  t.ok(Number.isInteger(ms))
  t.deepEqual(leftIn(store.layout.work), [], 'nothing is left of the scratch folder')
  t.equal(readFileSync(bound, 'utf8'), 'frames', 'what was bound is not')
  t.equal(lstatSync(store.layout.part(4)).mode & 0o777, 0o600)
  await close(store)
  t.ok((await openStore(t, task, folder)).results.has(4), 'it is there after a restart')
})

test('pieces of 0 bytes and of exactly the piece length; one byte more stops nothing else', async t => {
  const task = squares({ command: 'head -c $((PIECE_IDX * 50)) /dev/zero; sleep 0.1', parts: 4 })
  const store = await openStore(t, task, createFolder(t))
  const ends = await Promise.allSettled([0, 1, 2, 3].map(index => store.generate(index).done))
  t.deepEqual(
    ends.map(end => (end.status === 'fulfilled' ? end.value.size : (end.reason as CommandError).code)),
    [0, 50, 100, 'BW_ERR_COMMAND_OUTPUT']
  )
  t.deepEqual(readdirSync(store.layout.parts), ['000000', '000001', '000002'])
  t.deepEqual(leftIn(store.layout.work), [])
})

test('failures leave nothing behind', async t => {
  const commands: Array<[string, string]> = [
    ['mkdir d; echo partial; echo why >&2; exit 4', 'BW_ERR_COMMAND_EXIT'],
    ['kill -9 $$', 'BW_ERR_COMMAND_SIGNAL'],
    ['sleep 1000', 'BW_ERR_COMMAND_TIMEOUT'],
    ['mkdir -p a/b; touch a/b/c; chmod 000 a/b a; exit 1', 'BW_ERR_COMMAND_EXIT'],
    ['rm ../*.out', 'BW_ERR_COMMAND_OUTPUT'],
    ['ln -sf /etc/passwd ../*.out', 'BW_ERR_COMMAND_OUTPUT'],
    ['echo one; sed -i "s/one/another one/" ../*.out', 'BW_ERR_COMMAND_OUTPUT']
  ]
  for (const [command, code] of commands) {
    const store = await openStore(t, squares({ command }), createFolder(t), {
      timeoutMs: code === 'BW_ERR_COMMAND_TIMEOUT' ? 100 : 0
    })
    const err = await rejection<CommandError>(store.generate(0).done)
    t.equal(err.code, code, command)
    if (code === 'BW_ERR_COMMAND_EXIT') t.equal(err.exitCode, command.endsWith('4') ? 4 : 1)
    t.deepEqual(filesIn(store.layout.root), ['journal', 'lock', 'task.bitworker'])
    t.deepEqual(readdirSync(store.layout.work), [])
    t.deepEqual([...store.results], [])
  }
})

test('a folder whose permissions are gone is removed as an ordinary user', async t => {
  const folder = createFolder(t)
  chmodSync(folder, 0o777)
  await unprivileged(async () => {
    const scratch = path.join(folder, 'scratch')
    mkdirSync(path.join(scratch, 'a', 'b'), { recursive: true })
    writeFileSync(path.join(scratch, 'a', 'b', 'c'), '')
    chmodSync(path.join(scratch, 'a', 'b'), 0)
    chmodSync(path.join(scratch, 'a'), 0o500)
    await removeTree(scratch)
    t.deepEqual(readdirSync(folder), [])
  })
})

test('time-outs: the stricter one of the task and this machine', async t => {
  const seen: number[] = []
  const executor = new FakeExecutor(({ timeoutMs }) => { seen.push(timeoutMs); return {} })
  for (const [ofTask, ofMachine] of [[undefined, 0], [3000, 0], [undefined, 500], [3000, 500], [3000, 5000]] as const) {
    const task = squares(ofTask === undefined ? {} : { timeoutMs: ofTask })
    const store = await openStore(t, task, createFolder(t), { timeoutMs: ofMachine })
    store.configure({ executor })
    await store.generate(0).done
  }
  t.deepEqual(seen, [0, 3000, 500, 500, 3000])
})

test('kill, pause, resume of a generation', async t => {
  const store = await openStore(t, squares({ command: 'echo $$ > pid; sleep 1000 & sleep 1000' }), createFolder(t))
  const generation = store.generate(0)
  const sleeping = store.generate(1)
  const pidOf = (): number => {
    const first = filesIn(store.layout.work).find(name => name.endsWith('/pid'))
    return first === undefined ? 0 : Number(readFileSync(path.join(store.layout.work, first), 'utf8'))
  }
  await until('it runs', () => pidOf() > 0 && livingIn(pidOf()).length >= 2)
  const sid = pidOf()
  generation.pause()
  generation.resume()
  generation.kill()
  t.equal((await rejection(generation.done)).code, 'BW_ERR_COMMAND_KILLED')
  await close(store)
  t.equal((await rejection(sleeping.done)).code, 'BW_ERR_COMMAND_KILLED', 'close kills the others')
  t.deepEqual(livingIn(sid), [])
  t.deepEqual(readdirSync(store.layout.work), [])
  t.deepEqual(readdirSync(store.layout.parts), [])
})

test('the first result stays', async t => {
  const executor = new FakeExecutor(() => ({ stdout: 'computed' }))
  const store = await openStore(t, squares(), createFolder(t), { executor })
  const generation = store.generate(0)
  await put(store, 0, 'downloaded')
  const { size, digest } = await generation.done
  t.ok(sameResult({ size, digest }, store.results.get(0)!), 'both tell what is stored')
  t.deepEqual(Buffer.from(digest), sha256(await get(store, 0)))
  const later = await put(store, 0, 'something else')
  t.deepEqual(later, store.results.get(0), 'a later one is told what is stored')

  const killed = store.generate(1)
  executor.items.at(-1)!.stdout = '/nowhere'
  killed.kill()
  t.equal((await rejection(killed.done)).code, 'BW_ERR_COMMAND_KILLED')
  t.equal(store.results.get(1), undefined)
  await Promise.all([store.generate(2).done, store.generate(2).done])
  t.equal(await get(store, 2), 'computed', 'twice at the same time')
  t.deepEqual(leftIn(store.layout.work), [])
})

test('binds and executors that do not fit', async t => {
  const folder = createFolder(t)
  const task = squares()
  const code = (binds: Array<{ path: string, name?: string }>): unknown => {
    try {
      return new ComputeStore({ task, path: folder, binds }).listenerCount('lost') === 0 ? null : 'listens'
    } catch (err) {
      return (err as { code?: string }).code
    }
  }
  t.equal(code([{ path: folder }, { path: '/tmp', name: 'x' }]), null)
  const bad = [
    [{ path: '/nowhere' }],
    [{ path: '/' }],
    [{ path: folder, name: 'a/b' }],
    [{ path: folder, name: '..' }],
    [{ path: folder, name: '' }],
    [{ path: folder, name: 'a\0' }],
    [{ path: folder, name: 'p' }],
    [{ path: folder }, { path: folder }]
  ]
  for (const binds of bad) t.equal(code(binds), 'BW_ERR_BIND', JSON.stringify(binds))

  const gone = path.join(folder, 'gone')
  writeFileSync(gone, '')
  const store = await openStore(t, task, folder, { binds: [{ path: gone }] })
  rmSync(gone)
  t.equal((await rejection(store.generate(0).done)).code, 'BW_ERR_BIND', 'one that vanished')
  store.configure({ binds: [] })
  t.equal((await store.generate(0).done).size, 2, 'configure changes what comes after')
  const idle = new ComputeStore({ task: squares({ name: 'other' }), path: folder })
  await idle.open()
  t.equal((await rejection(idle.generate(0).done)).code, 'BW_ERR_NO_EXECUTOR')
  t.equal((await rejection(idle.generate(99).done)).code, 'BW_ERR_TASK_PIECE')
  await close(idle)
  t.deepEqual(leftIn(store.layout.work), [])
})

test('many results in one tick are one write to the journal', async t => {
  const task = createTask({ name: 'many', command: 'true', parts: 500, pieceLength: 10 })
  const store = await openStore(t, task, createFolder(t))
  const before = statSync(store.layout.journal).size
  await Promise.all(Array.from({ length: 500 }, (_, i) => put(store, i, String(i))))
  t.equal(statSync(store.layout.journal).size, before + 500 * 49)
  await close(store)
  t.equal((await openStore(t, task, store.layout.folder)).results.size, 500)
})

test('lost is an event like any other', async t => {
  const store = await openStore(t, squares(), createFolder(t))
  await put(store, 3, 'three')
  const lost = once(store, 'lost')
  rmSync(store.layout.part(3))
  await rejection(get(store, 3))
  t.deepEqual(await lost, [3])
})

// What somebody, or a disk, may do to an output folder: nothing outside of it is written, nothing damaged is passed on.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { HEADER_BYTES } from '../../lib/store/journal.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { cleanUp, createFolder, rejection } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { close, createStore, filesIn, get, openStore, put, squares } from '../helpers/stores.ts'
import type { OpenStore } from '../helpers/stores.ts'

/** A folder that must stay as it is: names, contents and times of what is in it. */
function precious (t: Test): { dir: string, file: string, isUntouched: () => boolean } {
  const dir = createFolder(t)
  const file = path.join(dir, 'precious')
  writeFileSync(file, 'precious')
  // names that we would use, were we led here
  for (const name of ['000000', '000001', 'squares', 'a', 'journal', 'lock']) {
    writeFileSync(path.join(dir, name), `precious ${name}`)
  }
  const state = (): string => readdirSync(dir).map(name => {
    const stats = lstatSync(path.join(dir, name))
    return `${name} ${stats.mode} ${stats.nlink === 1 ? '' : 'linked'} ${readFileSync(path.join(dir, name), 'utf8')}`
  }).join('\n')
  const before = state()
  return { dir, file, isUntouched: () => state().replaceAll('linked', '') === before }
}

const text = (index: number): string => `${index}`.repeat(100_000)

/** Puts a link to another folder in the place of one. */
function replaceByLink (at: string, to: string): void {
  renameSync(at, `${at}.moved`)
  symlinkSync(to, at)
}

/** Makes a change that no clock is too coarse to tell. */
function changeLater (file: string, content: string): void {
  writeFileSync(file, content)
  utimesSync(file, new Date(), new Date(Date.now() + 1000))
}

const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'ok', (err: { code?: string }) => err.code
  )

//
// LINKS
//

const FOLDERS: Array<[name: string, of: (store: OpenStore) => string]> = [
  ['the output folder', store => store.layout.folder],
  ['.bitworker', store => path.dirname(store.layout.root)],
  ["the task's folder", store => store.layout.root],
  ['parts', store => store.layout.parts],
  ['drafts', store => store.layout.drafts],
  ['work', store => store.layout.work]
]

test('a folder of ours replaced by a link while we run', async t => {
  for (const [name, of] of FOLDERS) {
    const outside = precious(t)
    // what a link to somewhere else would need to look alike
    const task = squares({ command: 'echo computed', pieceLength: 200_000, parts: 3 })
    for (const sub of ['p', 'f', 'work'])
      for (const at of ['', task.infoHash, path.join('.bitworker', task.infoHash)]) {
        mkdirSync(path.join(outside.dir, at, sub), { recursive: true })
      }
    const folder = path.join(createFolder(t), 'out')
    const store = await openStore(t, task, folder)
    await put(store, 1, 'stored before')
    await put(store, 2, 'stored before')
    const at = of(store)
    replaceByLink(at, outside.dir)
    const before = filesIn(outside.dir)
    const outcomes = [
      await codeOf(put(store, 0, 'x'.repeat(100))),
      await codeOf(put(store, 0, 'x'.repeat(150_000))),
      await codeOf(store.generate(0).done),
      await codeOf(store.finishFile(0, { run: false }))
    ]
    t.ok(
      outcomes.every(code =>
        [
          'BW_ERR_SYMLINK',
          'BW_ERR_OUTPUT_FOLDER',
          'BW_ERR_PART_MISSING',
          'BW_ERR_PART_CORRUPT',
          ...(['drafts', 'parts'].includes(name) ? ['ok'] : [])
        ].includes(String(code))
      ),
      `${name}: ${outcomes.join(' ')}`
    )
    rmSync(path.join(`${at}.moved`), { recursive: true })
    await codeOf(get(store, 1)) // gone, and not removed elsewhere
    await new Promise(resolve => { store.destroy(resolve) })
    t.deepEqual(filesIn(outside.dir), before, `${name}: nothing was made or removed there`)
    t.ok(readdirSync(outside.dir).includes('work'), `${name}: no folder either`)
  }
})

test('a folder of the finished file replaced by a link while we run', async t => {
  const outside = precious(t)
  const folder = createFolder(t)
  const task = squares({ files: [{ path: 'sub/a', parts: 1 }, { path: 'sub/b', parts: 1 }] })
  const store = await openStore(t, task, folder)
  await put(store, 0, 'the first')
  await put(store, 1, 'the second')
  await store.finishFile(0, { run: false })
  writeFileSync(path.join(outside.dir, 'a'), 'the FIRST')
  replaceByLink(path.join(folder, 'squares', 'sub'), outside.dir)
  t.equal(await codeOf(store.finishFile(1, { run: false })), 'BW_ERR_SYMLINK', 'no file is finished there')
  await close(store)
  const again = createStore(t, task, folder)
  t.equal((await rejection(again.open())).code, 'BW_ERR_SYMLINK', 'nor after a restart')
  t.equal(readFileSync(path.join(outside.dir, 'a'), 'utf8'), 'the FIRST')
  t.notOk(existsSync(path.join(outside.dir, 'b')))
})

test('nothing is read or removed through a link either', async t => {
  const outside = precious(t)
  const folder = createFolder(t)
  const store = await openStore(t, squares({ files: [{ path: 'sub/a', parts: 1 }] }), folder)
  await put(store, 0, 'precious a')
  await store.finishFile(0, { run: false })
  replaceByLink(path.join(folder, 'squares', 'sub'), outside.dir)
  t.equal(await codeOf(get(store, 0)), 'BW_ERR_PIECE_LOST', 'not even the same bytes')
  await new Promise(resolve => { store.destroy(resolve) })
  t.ok(outside.isUntouched(), 'destroy removes nothing there')
})

test('a file of ours replaced by a link, a hard link, a FIFO, a device or a folder', async t => {
  const kinds: Array<[kind: string, make: (at: string, target: string) => void]> = [
    ['a link', (at, target) => { symlinkSync(target, at) }],
    ['a dangling link', (at, target) => { symlinkSync(`${target}.nowhere`, at) }],
    ['a hard link', (at, target) => { linkSync(target, at) }],
    ['a FIFO', at => { execFileSync('mkfifo', [at]) }],
    ['a link to a device', at => { symlinkSync('/dev/zero', at) }]
  ]
  const task = squares({ parts: 3, pieceLength: 200_000 })
  for (const [kind, make] of kinds) {
    for (const name of ['part', 'draft', 'journal', 'lock', 'taskFile', 'final'] as const) {
      const outside = precious(t)
      const folder = createFolder(t)
      const first = await openStore(t, task, folder)
      await put(first, 0, 'x'.repeat(100_000)) // in the draft
      await put(first, 1, 'a part')
      await close(first)
      const { layout } = first
      const { journal, lock, taskFile } = layout
      const at = {
        part: layout.part(1), draft: layout.draft(0), journal, lock, taskFile, final: layout.final(task.files[0]!)
      }[name]
      rmSync(at, { force: true })
      make(at, outside.file)
      const store = createStore(t, task, folder)
      const code = await codeOf(store.open())
      if (code === 'ok') {
        for (const index of [0, 1, 2]) {
          if (store.results.get(index) === undefined) await put(store, index, 'y'.repeat(100_000))
        }
        const finished = await codeOf(store.finishFile(0, { run: false }))
        t.equal(finished, 'ok', `${name}, ${kind}: put right and finished`)
      } else {
        t.ok(
          ['BW_ERR_SYMLINK', 'BW_ERR_OUTPUT_FOLDER', 'BW_ERR_FILE_EXISTS'].includes(String(code)),
          `${name}, ${kind}: ${String(code)}`
        )
      }
      await close(store)
      t.ok(outside.isUntouched(), `${name}, ${kind}: what it leads to is not`)
      if (code === 'ok') continue
      rmSync(at)
      t.equal(await codeOf(createStore(t, task, folder).open()), 'ok', `${name}, ${kind}: removed, and it goes on`)
    }
  }
})

test('a draft or the finished file replaced by a link while we run', async t => {
  const task = squares({ parts: 2, pieceLength: 200_000 })
  for (const make of [symlinkSync, linkSync]) {
    const outside = precious(t)
    const store = await openStore(t, task, createFolder(t))
    make(outside.file, store.layout.draft(0))
    const putting = new Promise<void>((resolve, reject) => {
      store.put(0, Buffer.alloc(100_000, 'x'), err => { if (err == null) resolve(); else reject(err) })
    })
    t.ok(['BW_ERR_SYMLINK', 'BW_ERR_OUTPUT_FOLDER'].includes(String(await codeOf(putting))), 'a draft')
    rmSync(store.layout.draft(0))
    await put(store, 0, 'zero')
    await put(store, 1, 'one')
    make(outside.file, store.layout.final(task.files[0]!))
    t.equal(await codeOf(store.finishFile(0, { run: false })), 'BW_ERR_FILE_EXISTS', 'the finished file')
    t.ok(outside.isUntouched())
    await close(store)
    const forced = await openStore(t, task, store.layout.folder, { force: true })
    await forced.finishFile(0, { run: false })
    t.ok(outside.isUntouched(), 'with force the link is replaced, not what it leads to')
    t.equal(readFileSync(forced.layout.final(task.files[0]!), 'utf8'), 'zeroone')
  }
})

test('a journal with a second name is not changed through it', async t => {
  const folder = createFolder(t)
  const copy = path.join(createFolder(t), 'journal')
  const first = await openStore(t, squares(), folder)
  await put(first, 0, 'zero')
  await close(first)
  linkSync(first.layout.journal, copy) // as cp -al does
  const before = readFileSync(copy)
  const second = await openStore(t, squares(), folder)
  t.deepEqual([...second.results.keys()], [0])
  await put(second, 1, 'one')
  await close(second)
  t.ok(readFileSync(copy).equals(before), 'the copy stays as it is')
  t.deepEqual([...(await openStore(t, squares(), folder)).results.keys()], [0, 1])
})

//
// DAMAGE
//

test('a piece that is changed after it was checked is not served', async t => {
  const store = await openStore(t, squares({ parts: 3, pieceLength: 3_000_000 }), createFolder(t))
  const large = 'abc'.repeat(800_000)
  await put(store, 0, 'zero')
  await put(store, 2, large)
  t.equal(await get(store, 2, { offset: 0, length: 3 }), 'abc')
  changeLater(store.layout.part(0), 'ZERO')
  changeLater(store.layout.part(2), large.slice(0, -1) + 'X')
  t.equal(await codeOf(get(store, 0, { offset: 0, length: 2 })), 'BW_ERR_PIECE_LOST', 'a small one')
  t.equal(
    await codeOf(get(store, 2, { offset: 1_500_000, length: 3 })),
    'BW_ERR_PIECE_LOST',
    'a large one, though that part of it is intact'
  )
  t.deepEqual(store.lost, [0, 2])
  utimesSync(store.layout.parts, new Date(), new Date())
  await put(store, 1, 'one')
  utimesSync(store.layout.part(1), new Date(), new Date(Date.now() + 5000))
  t.equal(await get(store, 1), 'one', 'touched, but not changed: served')
})

test('a finished file that is changed after it was finished is not served, and made again', async t => {
  const store = await openStore(t, squares({ parts: 3 }), createFolder(t), {
    executor: new FakeExecutor(() => ({ stdout: 'one' }))
  })
  for (const [index, each] of ['zero', 'one', 'two'].entries()) await put(store, index, each)
  const { path: final } = (await store.finishFile(0, { run: false }))!
  t.equal(await get(store, 0), 'zero')
  changeLater(final, 'zeroONEtwo')
  t.equal(await get(store, 2), 'two', 'what is intact is')
  t.equal(await codeOf(get(store, 1)), 'BW_ERR_PIECE_LOST')
  t.deepEqual(store.lost, [1])
  await store.generate(1).done
  await store.finishFile(0, { run: false })
  t.equal(readFileSync(final, 'utf8'), 'zeroonetwo')
})

test('a complete command sees no damaged part', async t => {
  const executor = new FakeExecutor(() => ({ stdout: '' }))
  const task = squares({ parts: 2, completeCommand: 'cat $PART_LIST > $FILE' })
  const store = await openStore(t, task, createFolder(t), { executor })
  await put(store, 0, 'zero')
  await put(store, 1, 'one')
  changeLater(store.layout.part(1), 'eno')
  t.equal(await codeOf(store.finishFile(0, { run: true })), 'BW_ERR_PART_CORRUPT')
  t.deepEqual([executor.items.length, store.lost], [0, [1]])
})

test('half-written state is noticed: journal, part, draft, finished file', async t => {
  const task = squares({ parts: 3, pieceLength: 200_000 })
  const first = await openStore(t, task, createFolder(t))
  for (const index of [0, 1, 2]) await put(first, index, text(index))
  await first.finishFile(0, { run: false })
  await close(first)
  const digest = createHash('sha256').update(text(0) + text(1) + text(2)).digest('hex')
  const { layout } = first
  const final = layout.final(task.files[0]!)
  const cut: Array<[string, number]> = [[layout.journal, HEADER_BYTES + 5], [layout.journal, 3], [layout.taskFile, 10]]
  for (const [file, size] of cut) {
    const folder = createFolder(t)
    const other = createStore(t, task, folder)
    execFileSync('cp', ['-a', `${layout.folder}/.`, folder])
    const target = path.join(folder, path.relative(layout.folder, file))
    truncateSync(target, size)
    // without its record, the finished file is somebody's
    if (file === layout.journal) rmSync(path.join(folder, path.relative(layout.folder, final)))
    await other.open()
    for (const index of [0, 1, 2]) if (other.results.get(index) === undefined) await put(other, index, text(index))
    const finished = await other.finishFile(0, { run: false })
    t.equal(
      createHash('sha256').update(readFileSync(finished!.path)).digest('hex'),
      digest,
      `${path.basename(file)} cut to ${size} bytes`
    )
  }
  const bytes = readFileSync(final)
  bytes[150_000] = 88
  writeFileSync(final, bytes)
  const again = await openStore(t, task, layout.folder)
  t.equal(await codeOf(again.finishFile(0, { run: false })), 'BW_ERR_PART_CORRUPT', 'the finished file')
  t.deepEqual(again.lost, [1], 'costs the piece that is damaged')
  await put(again, 1, text(1))
  t.equal(
    createHash('sha256')
      .update(readFileSync((await again.finishFile(0, { run: false }))!.path))
      .digest('hex'),
    digest
  )
})

//
// THE DISK, WITH A REAL CLIENT
//

/** A disk of its own; null where none can be mounted. */
function smallDisk (t: Test, size: string): string | null {
  const disk = createFolder(t)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]).status !== 0) return null
  cleanUp(t, () => { spawnSync('umount', ['-l', disk]) })
  return disk
}

/** What is said of an error: must be one line. */
function errorOf (stderr: string): string {
  return stderr.split('\n').filter(line => line.startsWith('bitworker:')).join('\n')
}

function remount (disk: string, options: string): void {
  execFileSync('mount', ['-o', `remount,${options}`, disk])
}

test('a full disk and a read-only one give one clear line, and the next run resumes', async t => {
  const disk = smallDisk(t, '400k')
  const { dir, run } = await workspace(t)
  const created = await run([
    'create', '--name', 'big', '--command', 'head -c 100000 /dev/zero', '--parts', '8', '--piece-length', '100000'
  ])
  t.equal(created.code, 0, created.stderr)
  if (disk === null) return t.comment('no disk can be mounted here')
  const args = ['run', path.join(dir, 'big.bitworker'), '--yes', '--exit', '-j', '1', '-o', disk, '--json', ...OFFLINE]
  const full = await run(args)
  t.equal(full.code, 1, 'full')
  t.match(
    errorOf(full.stderr),
    /^bitworker: Cannot write .*: no space is left on the disk\. Free some space, then start again\.$/,
    'one line'
  )
  t.equal(full.events.find(({ event }) => event === 'error')?.['code'], 'BW_ERR_DISK_FULL')
  const stored = readdirSync(path.join(disk, '.bitworker', readdirSync(path.join(disk, '.bitworker'))[0]!, 'p'))
  t.ok(stored.length > 0 && stored.length < 8, `${stored.length} pieces are kept`)

  remount(disk, 'ro,size=4m')
  const readOnly = await run(args)
  t.equal(readOnly.code, 2, 'read-only')
  t.match(
    errorOf(readOnly.stderr),
    /^bitworker: Cannot use .*: the file system is read-only\. Choose another folder with -o\.$/,
    'one line'
  )

  remount(disk, 'rw')
  const again = await run(args)
  t.equal(again.code, 0, again.stderr)
  t.equal(
    again.events.filter(({ event }) => event === 'computed').length,
    8 - stored.length,
    'only what was missing is computed'
  )
  t.equal(lstatSync(path.join(disk, 'big')).size, 800_000)
})

test('a disk that is full, or read-only, when the file is finished or the journal written', async t => {
  const disk = smallDisk(t, '400k')
  if (disk === null) return t.comment('no disk can be mounted here')
  const task = squares({ parts: 3, pieceLength: 100_000 })
  const store = await openStore(t, task, disk)
  for (const index of [0, 1, 2]) await put(store, index, `${index}`.repeat(60_000))
  writeFileSync(path.join(disk, 'filler'), 'x'.repeat(140_000))
  t.equal(await codeOf(store.finishFile(0, { run: false })), 'BW_ERR_DISK_FULL')
  t.deepEqual(
    [readdirSync(store.layout.work), store.results.size, existsSync(path.join(disk, 'squares'))],
    [[], 3, false],
    'nothing is half there'
  )
  rmSync(path.join(disk, 'filler'))
  await close(store)
  const again = await openStore(t, task, disk)
  await again.finishFile(0, { run: false })
  t.equal(lstatSync(path.join(disk, 'squares')).size, 180_000, 'a restart finishes it')
  await close(again)

  remount(disk, 'ro')
  const readOnly = createStore(t, task, disk)
  const err = await rejection(readOnly.open())
  t.equal(err.code, 'BW_ERR_OUTPUT_FOLDER')
  t.match(err.message, /read-only\. Choose another folder\.$/)
  remount(disk, 'rw')
  t.ok(await (await openStore(t, task, disk)).finishFile(0, { run: false }))
})

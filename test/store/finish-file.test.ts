import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
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
import type { ComputeStoreOptions } from '../../lib/store/compute-store.ts'
import { FILE_FINISHED, Journal, decodeJournal } from '../../lib/store/journal.ts'
import { createTask } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import { createFolder, livingIn, rejection, until } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { close, filesIn, get, openStore, put, sha256, squares } from '../helpers/stores.ts'
import type { OpenStore } from '../helpers/stores.ts'

const textOf = (index: number): string => index % 3 === 2 ? '' : `piece ${index}\n`
const wholeOf = (first: number, parts: number): string =>
  Array.from({ length: parts }, (_, part) => textOf(first + part)).join('')

/** Tells one file from another that has taken its name. */
function inodeOf (at: string): number | undefined { return statSync(at, { throwIfNoEntry: false })?.ino }

/** A store with all pieces of a task, each with its own text, some of them empty. */
async function filled (
  t: Test, task: Task, folder = createFolder(t), opts: Partial<ComputeStoreOptions> = {}
): Promise<OpenStore> {
  const store = await openStore(t, task, folder, opts)
  for (let index = 0; index < task.pieceCount; index++) {
    if (store.results.get(index) === undefined) await put(store, index, textOf(index))
  }
  return store
}

const finish = async (store: OpenStore, file = 0, run = false): Promise<string> => {
  const finished = await store.finishFile(file, { run })
  return finished === null ? 'not run' : readFileSync(finished.path, 'latin1')
}

//
// CONCATENATION
//

test('a file is its parts, one after another', async t => {
  const task = squares({ files: [{ path: 'a', parts: 3 }, { path: 'sub/b.txt', parts: 4 }] })
  const store = await filled(t, task)
  const { folder } = store.layout
  t.deepEqual(await store.finishFile(1, { run: false }), {
    path: path.join(folder, 'squares/sub/b.txt'), length: wholeOf(3, 4).length
  })
  t.equal(readFileSync(path.join(folder, 'squares/sub/b.txt'), 'utf8'), wholeOf(3, 4))
  t.deepEqual(
    readdirSync(store.layout.parts), ['000000', '000001', '000002'], 'its parts are removed: it costs its size once'
  )
  t.notOk(existsSync(path.join(folder, 'squares/a')))
  for (let index = 0; index < 7; index++) {
    t.equal(await get(store, index), textOf(index), `piece ${index} is served from where it is`)
  }
  t.equal(await get(store, 4, { offset: 2, length: 3 }), textOf(4).slice(2, 5))
  t.ok(await store.verify(4))
  const [one, two] = await Promise.all([store.finishFile(0, { run: false }), store.finishFile(0, { run: false })])
  t.deepEqual(one, two, 'finished twice at the same time')
  t.deepEqual(await store.finishFile(0, { run: false }), one, 'and once more')
  t.equal((await rejection(store.finishFile(2, { run: false }))).code, 'BW_ERR_TASK_PIECE')
  t.deepEqual(readdirSync(store.layout.work), [])
  await close(store)

  const again = await openStore(t, task, folder)
  t.equal(again.results.size, 7, 'a restart finds all of it')
  for (let index = 0; index < 7; index++) t.equal(await get(again, index), textOf(index))
  await new Promise(resolve => { again.destroy(resolve) })
  t.deepEqual(readdirSync(folder), [], 'destroy removes what was finished, and its folders')
})

test('nothing but empty parts is an empty file; large parts are copied in pieces', async t => {
  const store = await openStore(t, squares({ parts: 2 }), createFolder(t))
  await put(store, 0, '')
  await put(store, 1, '')
  t.equal(await finish(store), '')
  const big = await openStore(t, squares({ parts: 3, pieceLength: 3_000_000 }), createFolder(t))
  const contents = ['a'.repeat(3_000_000), 'b', 'c'.repeat(2_500_000)]
  for (const [index, content] of contents.entries()) await put(big, index, content)
  t.ok(await finish(big) === contents.join(''))
  t.ok(await get(big, 2) === contents[2])
})

test('parts that are missing or damaged', async t => {
  const store = await openStore(t, squares({ parts: 3 }), createFolder(t))
  await put(store, 0, 'zero')
  await put(store, 1, 'one')
  t.equal((await rejection(store.finishFile(0, { run: false }))).code, 'BW_ERR_PART_MISSING')
  await put(store, 2, 'two')
  const damages: Array<[string, () => void]> = [
    ['other content', () => { writeFileSync(store.layout.part(1), 'eno') }],
    ['cut', () => { truncateSync(store.layout.part(1), 1) }],
    ['gone', () => { rmSync(store.layout.part(1)) }]
  ]
  for (const [what, damage] of damages) {
    damage()
    t.equal((await rejection(store.finishFile(0, { run: false }))).code, 'BW_ERR_PART_CORRUPT', what)
    t.deepEqual([store.lost.splice(0), [...store.results.keys()].length], [[1], 2], 'the part is told to be lost')
    t.notOk(existsSync(path.join(store.layout.folder, 'squares')), 'nothing has the final name')
    await put(store, 1, 'one')
  }
  t.equal(await finish(store), 'zeroonetwo', 'finished once it is there again')
  t.deepEqual(readdirSync(store.layout.work), [])
})

test('a part that is lost or replaced while the file is written', async t => {
  const store = await filled(t, squares({ parts: 400 }))
  const finishing = rejection(store.finishFile(0, { run: false }))
  store.put(0, Buffer.from('another result'))
  t.equal((await finishing).code, 'BW_ERR_PART_MISSING')
  t.equal(await finish(store), 'another result' + wholeOf(1, 399))
  const abort = new AbortController()
  const other = await filled(t, squares({ parts: 400 }))
  const aborted = rejection(other.finishFile(0, { run: false, signal: abort.signal }))
  abort.abort()
  t.equal((await aborted).code, 'BW_ERR_ABORTED')
  const closed = rejection(other.finishFile(0, { run: false }))
  await close(other)
  t.equal((await closed).code, 'BW_ERR_ABORTED', 'close ends it')
  t.equal(await finish(await openStore(t, other.task, other.layout.folder)), wholeOf(0, 400), 'the next start does it')
})

test('files in the way of a finished file', async t => {
  const task = squares({ files: [{ path: 'sub/a', parts: 2 }] })
  const elsewhere = createFolder(t)
  const store = await filled(t, task)
  const final = path.join(store.layout.folder, 'squares/sub/a')
  mkdirSync(path.dirname(final), { recursive: true })
  writeFileSync(final, 'made meanwhile')
  t.equal((await rejection(store.finishFile(0, { run: false }))).code, 'BW_ERR_FILE_EXISTS')
  t.equal(readFileSync(final, 'utf8'), 'made meanwhile')
  rmSync(path.dirname(final), { recursive: true })
  symlinkSync(elsewhere, path.dirname(final))
  t.equal((await rejection(store.finishFile(0, { run: false }))).code, 'BW_ERR_SYMLINK', 'a folder that is a link')
  rmSync(path.dirname(final))
  writeFileSync(path.dirname(final), '')
  t.equal(
    (await rejection(store.finishFile(0, { run: false }))).code, 'BW_ERR_OUTPUT_FOLDER', 'a file instead of a folder'
  )
  rmSync(path.dirname(final))
  await close(store)
  const forced = await openStore(t, task, store.layout.folder, { force: true })
  mkdirSync(path.dirname(final), { recursive: true })
  writeFileSync(path.join(elsewhere, 'target'), 'kept')
  symlinkSync(path.join(elsewhere, 'target'), final)
  t.equal(await finish(forced), wholeOf(0, 2), 'with force a file is overwritten')
  t.equal(readFileSync(path.join(elsewhere, 'target'), 'utf8'), 'kept', 'not what a link points to')
  t.deepEqual(readdirSync(elsewhere), ['target'])
})

//
// RESTARTS
//

test('a restart after an end at any point of finishing', async t => {
  const task = squares({ parts: 7 })
  const source = await filled(t, task)
  await close(source)
  const before = createFolder(t)
  cpSync(source.layout.folder, before, { recursive: true })
  const done = await openStore(t, task, source.layout.folder)
  await finish(done)
  await close(done)
  const after = source.layout.folder
  const root = path.join('.bitworker', task.infoHash)
  const whole = wholeOf(0, 7)
  const record = { type: FILE_FINISHED, index: 0, size: whole.length, digest: sha256(whole) } as const
  const announce = async (at: string): Promise<void> => {
    const { journal } = Journal.open(path.join(at, root, 'journal'), { ...task, fileCount: 1 })
    await journal.append(record)
    journal.close()
  }
  const copyOf = (from: string): string => {
    const at = createFolder(t)
    cpSync(from, at, { recursive: true })
    return at
  }
  const withParts = (at: string, ...indices: number[]): string => {
    for (const index of indices) {
      cpSync(path.join(before, root, 'p', `00000${index}`), path.join(at, root, 'p', `00000${index}`))
    }
    return at
  }
  const states: Array<[string, () => string | Promise<string>, boolean]> = [
    ['half of it written', () => {
      const at = copyOf(before)
      mkdirSync(path.join(at, root, 'work', '1'), { recursive: true })
      writeFileSync(path.join(at, root, 'work', '1', 'out'), whole.slice(0, 9))
      return at
    }, false],
    ['written down, not renamed', async () => {
      const at = copyOf(before)
      await announce(at)
      return at
    }, false],
    ['renamed, not written down', () => {
      const at = copyOf(before)
      writeFileSync(path.join(at, 'squares'), whole)
      return at
    }, true],
    ['renamed, no part removed', () => withParts(copyOf(after), 0, 1, 2, 3, 4, 5, 6), true],
    ['renamed, some parts removed', () => withParts(copyOf(after), 3, 6), true],
    ['all done', () => copyOf(after), true]
  ]
  for (const [what, make, isFinished] of states) {
    const at = await make()
    const store = await openStore(t, task, at)
    t.equal(store.results.size, 7, what)
    const inode = inodeOf(path.join(at, 'squares'))
    t.equal(await finish(store), whole)
    t.equal(inodeOf(path.join(at, 'squares')) === inode, isFinished, isFinished ? 'it is not made again' : 'it is made')
    for (let index = 0; index < 7; index++) if (await get(store, index) !== textOf(index)) t.fail(`piece ${index}`)
    t.deepEqual(
      filesIn(at),
      [...['journal', 'lock', 'task.bitworker'].map(name => path.join(root, name)), 'squares'],
      'it costs its size once'
    )
    await close(store)
  }
})

test('a finished file that was damaged, changed or removed', async t => {
  const task = squares({ parts: 7 })
  const whole = wholeOf(0, 7)
  const finished = async (): Promise<{ folder: string, final: string }> => {
    const store = await filled(t, task)
    await finish(store)
    await close(store)
    return { folder: store.layout.folder, final: path.join(store.layout.folder, 'squares') }
  }

  const damaged = await finished()
  writeFileSync(damaged.final, whole.replace('piece 3', 'PIECE 3'))
  const store = await openStore(t, task, damaged.folder)
  t.equal(
    (await rejection(store.finishFile(0, { run: false }))).code,
    'BW_ERR_PART_CORRUPT',
    'it does not count as finished before it was looked at'
  )
  t.deepEqual([...store.results.keys()], [0, 1, 2, 4, 5, 6], 'only the damaged piece is missing')
  t.equal(await get(store, 6), textOf(6))
  await close(store)
  const twice = await openStore(t, task, damaged.folder)
  t.equal(twice.results.size, 6, 'at the second restart, too')
  await put(twice, 3, 'a longer result')
  t.equal(await finish(twice), whole.replace(textOf(3), 'a longer result'), 'computed again, it is finished again')
  await close(twice)

  const cut = await finished()
  truncateSync(cut.final, whole.length - 1)
  t.equal(
    (await rejection(openStore(t, task, cut.folder))).code,
    'BW_ERR_FILE_EXISTS',
    "one of another size may be somebody's work"
  )
  t.equal(
    (await openStore(t, task, cut.folder, { force: true })).results.size,
    6,
    'with force, what is intact is taken from it'
  )

  const removed = await finished()
  rmSync(removed.final)
  const empty = await openStore(t, task, removed.folder)
  t.equal(empty.results.size, 0, 'without it everything is missing')
  await close(empty)

  const live = await finished()
  const seeding = await openStore(t, task, live.folder)
  rmSync(live.final)
  t.equal((await rejection(get(seeding, 4))).code, 'BW_ERR_PIECE_LOST')
  t.deepEqual(
    [seeding.lost, seeding.results.size], [[4, 0, 1, 2, 3, 5, 6], 0], 'removed while it is served: all is lost at once'
  )
  for (let index = 0; index < 7; index++) await put(seeding, index, textOf(index))
  t.equal(await finish(seeding), whole)
  await close(seeding)

  const short = await openStore(t, task, live.folder)
  truncateSync(live.final, whole.length - 3)
  t.equal((await rejection(get(short, 6))).code, 'BW_ERR_PIECE_LOST')
  t.deepEqual(short.lost, [6], 'cut while it is served: what is not cut stays')
  t.equal(await get(short, 4), textOf(4))
  await put(short, 6, 'six')
  t.equal(await get(short, 6), 'six', 'a piece stored anew is a part beside the file')
})

const content = (index: number): Buffer => Buffer.alloc(4000 + index, `${index};`)

test('kill -9 at any moment', async t => {
  const seed = Date.now() % 1e6
  t.comment(`seed ${seed}`)
  const folder = createFolder(t)
  const parts = 150
  const task = createTask({ name: 'numbers', parts, pieceLength: 5000, command: 'true' })
  const program = fileURLToPath(new URL('../fixtures/finishing-client.ts', import.meta.url))
  let stored = 0
  for (let round = 0; round < 12; round++) {
    const client = spawn(process.execPath, [program, folder, String(parts)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(client.stdout, 'data')
    const delay = (seed * (round + 1) * 7919) % 120
    const timer = setTimeout(() => { client.kill('SIGKILL') }, delay)
    await once(client, 'close')
    clearTimeout(timer)
    const store = await openStore(t, task, folder)
    if (store.results.size < stored) {
      t.fail(`round ${round}, killed after ${delay} ms: ${stored} pieces became ${store.results.size}`)
    }
    stored = store.results.size
    for (const index of store.results.keys()) {
      if ((await get(store, index)) !== content(index).toString('latin1')) t.fail(`piece ${index} has other content`)
    }
    await close(store)
    // begin again, so that the later rounds are not all alike
    if (stored === parts && round % 2 === 1) {
      rmSync(folder, { recursive: true })
      stored = 0
    }
  }
  const client = spawn(process.execPath, [program, folder, String(parts)], { stdio: 'ignore' })
  t.deepEqual(await once(client, 'close'), [0, null], 'the last one, not killed, finishes')
  t.ok(
    readFileSync(path.join(folder, 'numbers')).equals(
      Buffer.concat(Array.from({ length: parts }, (_, index) => content(index)))
    )
  )
})

//
// COMPLETE COMMANDS
//

test('a complete command runs only when it may', async t => {
  const executor = new FakeExecutor()
  const store = await filled(t, squares({ completeCommand: 'cat $PART_LIST > $FILE' }), createFolder(t), { executor })
  t.equal(await store.finishFile(0, { run: false }), null)
  t.deepEqual(
    [executor.items.length, filesIn(store.layout.folder).filter(name => !name.startsWith('.bitworker'))],
    [0, []],
    'nothing ran'
  )
  t.equal(
    (await rejection(store.finishFile(0, { run: true }))).code, 'BW_ERR_COMPLETE_NO_FILE', 'it must write the file'
  )
})

test('the environment of a complete command', async t => {
  const bound = createFolder(t)
  writeFileSync(path.join(bound, 'header'), 'HEADER\n')
  const completeCommand =
    'cat header $PART_LIST > "$FILE"; echo noise; cd /; { echo "$PART_LIST"; cat "$PART_LIST_FILE"; echo "$PART_DIR $PART_COUNT $FILE_IDX $FILE $PIECE_IDX"; ls $PART_DIR; } >> $FILE'
  const task = squares({ completeCommand, files: [{ path: 'x.bin', parts: 2 }, { path: 'video.tar.gz', parts: 3 }] })
  const binds = [{ path: path.join(bound, 'header') }]
  const store = await filled(t, task, createFolder(t), { binds })
  const lines = (await finish(store, 1, true)).split('\n')
  const list = ['p/000002', 'p/000003', 'p/000004']
  t.deepEqual(lines.slice(0, 7), ['HEADER', 'piece 3', 'piece 4', list.join(' '), ...list])
  t.match(
    lines[7]!,
    new RegExp(`^${store.layout.parts} 3 1 /.*/out\\.tar\\.gz $`),
    'FILE is absolute, with the extension of the file'
  )
  t.deepEqual(lines.slice(8), ['000000', '000001', '000002', '000003', '000004', ''])
  t.deepEqual(readdirSync(store.layout.work), [])
  t.equal(readdirSync(store.layout.parts).length, 5, 'the parts stay: they are what is seeded')
  t.equal(await finish(store, 1, false), lines.join('\n'), 'a finished file is not made again')
  const final = path.join(store.layout.folder, 'squares/video.tar.gz')
  await close(store)

  const again = await openStore(t, task, store.layout.folder)
  t.deepEqual([await finish(again, 1, false), again.results.size], [lines.join('\n'), 5], 'a restart knows it')
  rmSync(again.layout.part(3))
  await rejection(get(again, 3))
  t.deepEqual(
    [await finish(again, 1, false), again.lost], [lines.join('\n'), [3]], 'a lost part is no reason to make it again'
  )
  await put(again, 3, textOf(3))
  await close(again)
  writeFileSync(final, readFileSync(final, 'utf8').replace('HEADER', 'header'))
  const changed = await openStore(t, task, store.layout.folder, { binds })
  t.equal(await changed.finishFile(1, { run: false }), null, 'a changed one is not finished')
  t.equal(changed.results.size, 5)
  t.equal(await finish(changed, 1, true), lines.join('\n').replaceAll(/work\/\w+/g, 'work/0'), 'and is made again')
})

test('complete commands that fail', async t => {
  const elsewhere = createFolder(t)
  writeFileSync(path.join(elsewhere, 'secret'), 'secret')
  const commands: Array<[string, string]> = [
    ['echo half > $FILE; echo why >&2; exit 5', 'BW_ERR_COMMAND_EXIT'],
    ['true', 'BW_ERR_COMPLETE_NO_FILE'],
    ['mkdir $FILE', 'BW_ERR_COMPLETE_NO_FILE'],
    [`ln -s ${elsewhere}/secret $FILE`, 'BW_ERR_COMPLETE_NO_FILE'],
    ['mkfifo $FILE', 'BW_ERR_COMPLETE_NO_FILE']
  ]
  for (const [completeCommand, code] of commands) {
    const store = await filled(t, squares({ completeCommand }))
    const err = await rejection<CommandError>(store.finishFile(0, { run: true }))
    t.deepEqual([err.code, err.stderr], [code, code === 'BW_ERR_COMMAND_EXIT' ? 'why' : ''], completeCommand)
    t.notOk(existsSync(path.join(store.layout.folder, 'squares')), 'nothing has the final name')
    t.deepEqual(readdirSync(store.layout.work), [])
    t.equal(store.results.size, 8)
  }
  const linking = await filled(t, squares({ parts: 1, completeCommand: 'ln $PART_LIST $FILE' }))
  t.equal(await finish(linking, 0, true), textOf(0))
  t.equal(
    statSync(path.join(linking.layout.folder, 'squares')).nlink, 1, 'a hard link to a part becomes a file of its own'
  )
  const slow = await filled(t, squares({ completeCommand: 'echo $$ > $FILE; sleep 1000 & sleep 1000' }))
  const abort = new AbortController()
  const finishing = rejection(slow.finishFile(0, { run: true, signal: abort.signal }))
  const written = (): string => filesIn(slow.layout.work).find(name => name.includes('/o/')) ?? ''
  const pid = (): number => written() === '' ? 0 : Number(readFileSync(path.join(slow.layout.work, written()), 'utf8'))
  await until('it runs', () => pid() > 0)
  const sid = pid()
  abort.abort()
  t.equal((await finishing).code, 'BW_ERR_COMMAND_KILLED')
  t.deepEqual(livingIn(sid), [])
})

test('a folder whose name needs quotes', async t => {
  const folder = path.join(createFolder(t), 'my [videos] & * such')
  const completeCommand = 'cat $PART_LIST > $FILE && cat $PART_LIST_FILE >> $FILE && ls $PART_DIR >> $FILE'
  const task = squares({ completeCommand, files: [{ path: 'a film.mp4', parts: 2 }] })
  const store = await filled(t, task, folder)
  t.equal(
    await finish(store, 0, true),
    textOf(0) + textOf(1) + 'p/000000\np/000001\n000000\n000001\n',
    'does not matter to one without'
  )
  t.ok(existsSync(path.join(folder, 'squares', 'a film.mp4')))
  const plain = await filled(t, squares({ name: 'plain' }), folder)
  t.equal(await finish(plain), wholeOf(0, 8))
})

for (const parts of [5000, 20_000]) {
  test(`PART_LIST with ${parts} parts`, async t => {
    const completeCommand =
      'n=0; for p in $PART_LIST; do n=$((n+1)); last=$p; done; echo $n $last > $FILE; cat $PART_LIST >> $FILE; wc -l < $PART_LIST_FILE >> $FILE; [[ $PART_LIST = *$\'\\n\'* ]] && echo "has newlines" >> $FILE; echo ${#PART_LIST} >> $FILE'
    const store = await openStore(t, squares({ parts, pieceLength: 5, completeCommand }), createFolder(t))
    for (let index = 0; index < parts; index += 1000) {
      await Promise.all(Array.from({ length: 1000 }, (_, i) => put(store, index + i, String((index + i) % 10))))
    }
    const text = '0123456789'.repeat(parts / 10)
    t.ok(
      (await finish(store, 0, true)) ===
        `${parts} p/${String(parts - 1).padStart(6, '0')}\n${text}${parts}\n${parts * 9 - 1}\n`,
      'in order, blank-separated'
    )
  })
}

test('finished, then restarted, with the same journal', async t => {
  const task = squares({ parts: 3 })
  const store = await filled(t, task)
  await finish(store)
  await close(store)
  const { records } = decodeJournal(readFileSync(store.layout.journal), { ...task, fileCount: 1 })
  t.deepEqual(records.map(({ type }) => type), [1, 1, 1, 2])
  const size = statSync(store.layout.journal).size
  await close(await openStore(t, task, store.layout.folder))
  t.equal(statSync(store.layout.journal).size, size, 'a restart adds nothing')
  renameSync(path.join(store.layout.folder, 'squares'), path.join(store.layout.folder, 'moved'))
  t.equal((await openStore(t, task, store.layout.folder)).results.size, 0)
})

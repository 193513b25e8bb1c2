// NAME.results.json: which result each piece of a finished task has.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { hexOf } from '../../lib/base/digest.ts'
import { createFolder, rejection } from '../helpers/disk.ts'
import { close, openStore, put, sha256, squares } from '../helpers/stores.ts'

const FILES = [{ path: 'a', parts: 2 }, { path: 'sub/b.txt', parts: 1 }]

function piece (index: number, file: number, part: number, text: string, accepted: string): object {
  return { piece: index, file, part, size: text.length, sha256: hexOf(sha256(text)), accepted }
}

test('the results of a finished task', async t => {
  const task = squares({ files: FILES })
  const folder = createFolder(t)
  const store = await openStore(t, task, folder)
  for (const [index, text] of ['0\n', '', '4\n'].entries()) await put(store, index, text)
  t.equal((await rejection(store.writeResults(() => ({ accepted: 'computed' })))).code, 'BW_ERR_NOT_FINISHED')
  for (const file of FILES.keys()) await store.finishFile(file, { run: false })
  t.equal(await store.hasResults(), false)
  const at = await store.writeResults(index => ({ accepted: index === 2 ? 'downloaded' : 'computed' }))
  t.equal(at, path.join(folder, 'squares.results.json'))
  t.equal(await store.hasResults(), true)
  t.same(JSON.parse(readFileSync(at, 'utf8')), {
    format: 'bitworker results 1',
    infoHash: task.infoHash,
    name: 'squares',
    files: [{ path: 'squares/a', parts: 2, length: 2 }, { path: 'squares/sub/b.txt', parts: 1, length: 2 }],
    pieces: [piece(0, 0, 0, '0\n', 'computed'), piece(1, 0, 1, '', 'computed'), piece(2, 1, 0, '4\n', 'downloaded')]
  })
  const key = 'a'.repeat(64)
  await store.writeResults(() => ({ accepted: 'trusted', by: [key] }), () => [{ key, label: 'lab' }])
  const said = JSON.parse(readFileSync(at, 'utf8')) as { pieces: object[], keys: object[] }
  t.same([said.pieces[0], said.keys], [{ ...piece(0, 0, 0, '0\n', 'trusted'), by: [key] }, [{ key, label: 'lab' }]])
  await store.writeResults(() => ({ accepted: 'earlier' }))
  t.match(readFileSync(at, 'utf8'), /earlier/, 'it is replaced')
  t.same(readdirSync(path.join(folder, '.bitworker', task.infoHash, 'work')), [], 'no draft is left')
  await new Promise<void>(resolve => { store.destroy(() => { resolve() }) })
  t.notOk(existsSync(at), 'it goes with the task')
})

test("another file of that name is somebody else's", async t => {
  const task = squares({ parts: 1 })
  const folder = createFolder(t)
  const at = path.join(folder, 'squares.results.json')
  for (const [text, force] of [
    ['{}', false], ['', false], [`{"format":"bitworker results 1","infoHash":"${'0'.repeat(40)}"}`, false], ['{}', true]
  ] as const) {
    writeFileSync(at, text)
    const store = await openStore(t, task, folder, { force })
    if (store.results.size === 0) await put(store, 0, '0\n')
    await store.finishFile(0, { run: false })
    const writing = store.writeResults(() => ({ accepted: 'computed' }))
    if (force) {
      t.equal(await writing, at)
    } else {
      t.equal((await rejection(writing)).code, 'BW_ERR_FILE_EXISTS')
      t.equal(readFileSync(at, 'utf8'), text, 'it stays as it is')
    }
    await close(store)
  }
})

test('a complete command: the digest of what it made', async t => {
  const task = squares({ parts: 2, completeCommand: 'cat $PART_LIST | tr 0 x > "$FILE"' })
  const folder = createFolder(t)
  const store = await openStore(t, task, folder)
  for (const [index, text] of ['0\n', '1\n'].entries()) await put(store, index, text)
  await store.finishFile(0, { run: true })
  const { files, pieces } = JSON.parse(readFileSync(await store.writeResults(() => ({ accepted: 'computed' })), 'utf8')) as Record<string, object[]>
  t.same(files, [{ path: 'squares', parts: 2, length: 4, sha256: hexOf(sha256('x\n1\n')) }])
  t.equal(pieces?.length, 2)
})

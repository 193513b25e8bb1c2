// The log of a task: bounded, and read strictly, whatever is in its files.
import { appendFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { MAX_LINE_BYTES, decodeEntry, encodeEntry } from '../../lib/store/log-entries.ts'
import { readPieceLog } from '../../lib/store/log-reader.ts'
import { PieceLog } from '../../lib/store/piece-log.ts'
import { createFolder } from '../helpers/disk.ts'

const INFO_HASH = 'ab'.repeat(20)
const FAILED = { piece: 3, code: 'BW_ERR_COMMAND_EXIT', exitCode: 1, signal: null, stderr: 'no', message: 'It failed.', ms: 7.6 }

function logIn (dir: string, maxBytes?: number): { log: PieceLog, errors: Error[] } {
  const errors: Error[] = []
  mkdirSync(path.join(dir, '.bitworker', INFO_HASH), { recursive: true })
  const opts = { path: dir, infoHash: INFO_HASH, onError: (err: Error) => { errors.push(err) } }
  return { log: new PieceLog(maxBytes === undefined ? opts : { ...opts, maxBytes }), errors }
}

const at = (dir: string, name: string): string => path.join(dir, '.bitworker', INFO_HASH, 'log', name)
const read = (dir: string, name: 'pieces' | 'failures' = 'pieces'): Array<number | null> =>
  Array.from(readPieceLog(dir, INFO_HASH, name), ({ piece }) => piece)

test('what is logged is read again, failures by themselves as well', t => {
  const dir = createFolder(t)
  t.deepEqual(read(dir), [], 'nothing before')
  const { log } = logIn(dir)
  log.add('computed', { piece: 0, size: 4, sha256: 'ff', ms: 12, cpuMs: null, memoryBytes: 99, stderr: '' })
  log.add('failed', FAILED)
  log.close()
  log.add('failed', FAILED)
  log.close()
  const [computed, failed] = readPieceLog(dir, INFO_HASH, 'pieces')
  const { at: time, ...fields } = computed!
  t.ok(Date.now() - time < 60_000)
  t.deepEqual(fields, { piece: 0, event: 'computed', ms: 12, memoryBytes: 99, size: 4, sha256: 'ff' })
  t.equal(failed?.ms, 8)
  t.deepEqual(read(dir, 'failures'), [3])
  const { log: again } = logIn(dir)
  again.add('failed', { ...FAILED, piece: 4 })
  again.close()
  t.deepEqual([read(dir), read(dir, 'failures')], [[0, 3, 4], [3, 4]], 'a later run appends')
  t.end()
})

test('the log is bounded, and successes do not drive out failures', t => {
  const dir = createFolder(t)
  const { log, errors } = logIn(dir, 100_000)
  log.add('failed', FAILED)
  const event = { size: 4, sha256: 'f'.repeat(64), ms: 12, cpuMs: null, memoryBytes: null, stderr: 'x'.repeat(100_000) }
  for (let piece = 0; piece < 5_000; piece++) log.add('computed', { piece, ...event })
  log.close()
  t.deepEqual(errors, [])
  for (const name of ['pieces.jsonl', 'pieces.old.jsonl']) t.ok(statSync(at(dir, name)).size <= 100_000, name)
  const pieces = read(dir)
  t.equal(pieces.at(-1), 4_999)
  t.ok(pieces.length > 100, 'the latest are kept')
  t.deepEqual(pieces, Array.from(pieces, (_, i) => 5_000 - pieces.length + i), 'in order')
  t.deepEqual(read(dir, 'failures'), [3])
  t.end()
})

test('torn, hostile and foreign lines are skipped', t => {
  const dir = createFolder(t)
  const { log } = logIn(dir)
  log.add('failed', FAILED)
  log.close()
  const good = readFileSync(at(dir, 'pieces.jsonl'), 'utf8')
  appendFileSync(at(dir, 'pieces.jsonl'), good.slice(0, 40))
  const { log: next } = logIn(dir)
  next.add('failed', { ...FAILED, piece: 5 })
  next.close()
  t.deepEqual(read(dir), [3, 5], 'what follows a torn line is whole')
  const lines = [
    'null', '[]', '{}', '"x"', '{"at":-1,"piece":1,"event":"failed"}', '{"at":1,"piece":1,"event":"toString"}',
    '{"at":1,"piece":1.5,"event":"failed"}', '{"at":1,"event":"failed"}', '\0\xff', '['.repeat(MAX_LINE_BYTES),
    'x'.repeat(300_000), encodeEntry(1, 'failed', { piece: 7 }).trim(), `${' '.repeat(MAX_LINE_BYTES)}{}`
  ]
  appendFileSync(at(dir, 'pieces.jsonl'), Buffer.from(`${lines.join('\n')}\n`, 'latin1'))
  t.deepEqual(read(dir), [3, 5, 7])
  t.deepEqual(
    decodeEntry('{"at":1,"piece":null,"event":"failed","exitCode":"1","from":[1],"__proto__":{"x":1},"stderr":"s"}'),
    { at: 1, piece: null, event: 'failed', stderr: 's' }, 'a field that is not what it should be is left out'
  )
  t.end()
})

test('nothing is written or read through a link', t => {
  const dir = createFolder(t)
  const { log } = logIn(dir)
  log.add('failed', FAILED)
  log.close()
  const elsewhere = path.join(dir, 'precious')
  writeFileSync(elsewhere, encodeEntry(1, 'failed', { piece: 9 }))
  symlinkSync(elsewhere, at(dir, 'failures.old.jsonl'))
  t.deepEqual(read(dir, 'failures'), [3])
  const other = createFolder(t)
  const { log: linked, errors } = logIn(other)
  symlinkSync(dir, path.join(other, '.bitworker', INFO_HASH, 'log'))
  linked.add('failed', FAILED)
  linked.close()
  t.deepEqual(errors.map(err => 'code' in err && err.code), ['BW_ERR_SYMLINK'], 'told once')
  t.end()
})

import { appendFileSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import test from 'tape'
import {
  HEADER_BYTES,
  Journal,
  FILE_FINISHED,
  PIECE_DROPPED,
  PIECE_STORED,
  RECORD_BYTES,
  decodeJournal,
  encodeHeader,
  encodeRecord
} from '../../lib/store/journal.ts'
import type { JournalBounds, JournalRecord } from '../../lib/store/journal.ts'
import { createFolder, rejection } from '../helpers/disk.ts'

const digest = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest())
const bounds: JournalBounds = {
  infoHash: 'ab'.repeat(20), digest: digest('task'), pieceCount: 100, pieceLength: 2 ** 40, fileCount: 3
}
const records: JournalRecord[] = [
  { type: PIECE_STORED, index: 0, size: 0, digest: digest('0') },
  { type: PIECE_STORED, index: 99, size: 2 ** 40, digest: digest('99') },
  { type: FILE_FINISHED, index: 2, size: 2 ** 52, digest: digest('file') },
  { type: PIECE_DROPPED, index: 0, size: 0, digest: digest('0') },
  { type: PIECE_STORED, index: 0, size: 7, digest: digest('again') }
]
const bytesOf = (list = records): Buffer => Buffer.concat([encodeHeader(bounds), ...list.map(encodeRecord)])

// a small generator, so that a failure can be replayed from its seed
function randomBytes (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  }
}

test('journal: bytes', t => {
  t.equal(
    encodeHeader(bounds).toString('hex'), '42574a31' + 'ab'.repeat(20) + Buffer.from(digest('task')).toString('hex')
  )
  const record = encodeRecord({
    type: PIECE_STORED, index: 258, size: 2 ** 33 + 1, digest: new Uint8Array(32).fill(0xcd)
  })
  t.equal(record.toString('hex'), `01000001020000000200000001${'cd'.repeat(32)}${record.subarray(45).toString('hex')}`)
  t.equal(record.length, RECORD_BYTES)
  t.deepEqual(
    decodeJournal(bytesOf(), bounds),
    { records, validBytes: HEADER_BYTES + 5 * RECORD_BYTES, isOtherTask: false },
    'what was written is read'
  )
  t.end()
})

test('journal: torn at every byte', t => {
  const bytes = bytesOf()
  for (let length = 0; length <= bytes.length; length++) {
    const whole = length < HEADER_BYTES ? 0 : Math.floor((length - HEADER_BYTES) / RECORD_BYTES)
    const decoded = decodeJournal(bytes.subarray(0, length), bounds)
    const validBytes = length < HEADER_BYTES ? 0 : HEADER_BYTES + whole * RECORD_BYTES
    const expected = { records: records.slice(0, whole), validBytes, isOtherTask: false }
    if (!isDeepStrictEqual(decoded, expected)) t.deepEqual(decoded, expected, `cut to ${length} bytes`)
  }
  t.pass('the intact records are read, and the end of the last one is known')
  t.end()
})

test('journal: a wrong bit anywhere costs one record', t => {
  const bytes = bytesOf()
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1 << (at % 8)
    const decoded = decodeJournal(damaged, bounds)
    const lost = Math.floor((at - HEADER_BYTES) / RECORD_BYTES)
    const expected = at < HEADER_BYTES ? [] : records.filter((_, i) => i !== lost)
    if (!isDeepStrictEqual(decoded.records, expected)) t.deepEqual(decoded.records, expected, `byte ${at}`)
    if (at >= 24 && at < HEADER_BYTES && !decoded.isOtherTask) t.fail(`byte ${at} makes it another task's`)
  }
  t.pass('the others are read')
  t.end()
})

test('journal: garbage never throws', t => {
  const seed = Date.now() >>> 0
  const random = randomBytes(seed)
  t.comment(`seed ${seed}`)
  for (let i = 0; i < 500; i++) {
    const garbage = Uint8Array.from({ length: random() * 2 }, random)
    decodeJournal(garbage, bounds)
    const { records: read } = decodeJournal(Buffer.concat([encodeHeader(bounds), garbage]), bounds)
    if (read.length > 0) t.fail(`read a record out of garbage, seed ${seed}`)
  }
  t.pass('500 times')
  t.end()
})

test('journal: records beyond the task are skipped, not cut off', t => {
  const odd: JournalRecord[] = [
    { type: PIECE_STORED, index: 100, size: 1, digest: digest('') },
    { type: PIECE_STORED, index: 1, size: 2 ** 40 + 1, digest: digest('') },
    { type: FILE_FINISHED, index: 3, size: 1, digest: digest('') },
    { ...records[0]!, type: 9 as typeof PIECE_STORED }
  ]
  const bytes = bytesOf([...odd, records[1]!])
  t.deepEqual(decodeJournal(bytes, bounds), { records: [records[1]], validBytes: bytes.length, isOtherTask: false })
  t.end()
})

test('journal file: appends, reopens, cuts a torn tail off', async t => {
  const at = path.join(createFolder(t), 'journal')
  const first = Journal.open(at, bounds)
  t.deepEqual(first.records, [])
  const appended = records.map(record => first.journal.append(record))
  t.equal(statSync(at).size, HEADER_BYTES, 'nothing is written before the tick ends')
  await Promise.all(appended)
  t.deepEqual(readFileSync(at), bytesOf(), 'all of it is written then')
  first.journal.close()
  first.journal.close()
  t.equal((await rejection(first.journal.append(records[0]!))).code, 'BW_ERR_STORE_CLOSED')

  for (const tail of ['x', 'x'.repeat(RECORD_BYTES - 1), 'x'.repeat(RECORD_BYTES * 3 + 5)]) {
    appendFileSync(at, tail)
    const { journal, records: read } = Journal.open(at, bounds)
    t.deepEqual(read, records, `read up to a torn tail of ${tail.length} bytes`)
    t.equal(statSync(at).size, bytesOf().length, 'which is cut off')
    journal.close()
  }
  truncateSync(at, HEADER_BYTES + RECORD_BYTES + 10)
  const { journal } = Journal.open(at, bounds)
  void journal.append(records[4]!)
  await journal.sync()
  t.deepEqual(
    decodeJournal(readFileSync(at), bounds).records,
    [records[0], records[4]],
    'appends after the cut; sync writes at once'
  )
  void journal.append(records[1]!)
  journal.close()
  t.deepEqual(decodeJournal(readFileSync(at), bounds).records.length, 3, 'so does close')
})

test('journal file: not ours', async t => {
  const folder = createFolder(t)
  const code = (at: string): unknown => {
    try {
      Journal.open(path.join(folder, at), bounds).journal.close()
      return null
    } catch (err) {
      return (err as { code?: string }).code
    }
  }
  writeFileSync(path.join(folder, 'other'), encodeHeader({ ...bounds, digest: digest('another command') }))
  t.equal(code('other'), 'BW_ERR_OUTPUT_FOLDER', 'same info-hash, another command: refused')
  t.equal(statSync(path.join(folder, 'other')).size, HEADER_BYTES, 'and not touched')
  writeFileSync(path.join(folder, 'target'), '')
  symlinkSync(path.join(folder, 'target'), path.join(folder, 'link'))
  t.equal(code('link'), 'BW_ERR_SYMLINK', 'a symbolic link is not followed')
  mkdirSync(path.join(folder, 'dir'))
  t.equal(code('dir'), 'BW_ERR_OUTPUT_FOLDER', 'a folder')
  writeFileSync(path.join(folder, 'text'), 'hello, I am something else')
  t.equal(code('text'), null, 'a journal that is nothing but damage starts anew')
  t.deepEqual(readFileSync(path.join(folder, 'text')), encodeHeader(bounds))
})

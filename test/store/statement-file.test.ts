import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import test from 'tape'
import { BRANCH_BYTES } from '../../extensions/ut_bitworker/constants.ts'
import { readKept } from '../../extensions/ut_bitworker/index.ts'
import { StatementFile } from '../../lib/store/statement-file.ts'
import { VerificationFiles } from '../../lib/store/verification-files.ts'
import { createTask } from '../../lib/task/task.ts'
import { createFolder } from '../helpers/disk.ts'

const opts = { infoHash: 'ab'.repeat(20), digest: new Uint8Array(32).fill(3), pieceCount: 50, recordBytes: 20 }
const HEADER = 56
const RECORD = 24

/** A record of a piece. */
function record (index: number, fill: number): Uint8Array {
  const bytes = new Uint8Array(20).fill(fill)
  new DataView(bytes.buffer).setUint32(0, index)
  return bytes
}

const hex = (records: Iterable<Uint8Array>): string[] => Array.from(records, each => Buffer.from(each).toString('hex'))

function codeOf (fn: () => unknown): string {
  try {
    fn()
    return 'nothing'
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('what was added is read, also after it was opened again', t => {
  const file = path.join(createFolder(t), 'attestations')
  fc.assert(fc.property(
    fc.array(fc.record({ index: fc.nat(49), fill: fc.nat(255), reopens: fc.boolean() }), { maxLength: 60 }), steps => {
      writeFileSync(file, '')
      let log = StatementFile.open(file, opts)
      const expected: Uint8Array[] = []
      for (const { index, fill, reopens } of steps) {
        expected.push(record(index, fill))
        log.add(record(index, fill))
        if (!reopens) continue
        log.close()
        log = StatementFile.open(file, opts)
      }
      const all = hex(log.all())
      const byPiece = Array.from({ length: 50 }, (_, index) => hex(log.of(index)))
      log.close()
      const ofPiece = (index: number): string[] => hex(expected.filter((_, i) => steps[i]!.index === index))
      return all.join() === hex(expected).join() &&
        byPiece.every((records, index) => records.join() === ofPiece(index).join())
    }
  ))
  t.end()
})

test('torn at every byte, and damaged in every byte', t => {
  const file = path.join(createFolder(t), 'attestations')
  const fresh = (): void => {
    writeFileSync(file, '')
    const log = StatementFile.open(file, opts)
    for (const index of [1, 2, 1]) log.add(record(index, 7))
    log.close()
  }
  const wrong: string[] = []
  for (let length = 0; length <= HEADER + 3 * RECORD; length++) {
    fresh()
    truncateSync(file, length)
    const log = StatementFile.open(file, opts)
    const whole = Math.max(0, Math.floor((length - HEADER) / RECORD))
    if (hex(log.all()).length !== whole) wrong.push(`${length} bytes`)
    log.add(record(4, 9))
    if (hex(log.all()).length !== whole + 1 || log.of(4).length !== 1) wrong.push(`added after ${length} bytes`)
    log.close()
  }
  for (let at = HEADER; at < HEADER + 3 * RECORD; at++) {
    fresh()
    const bytes = readFileSync(file)
    bytes[at]! ^= 0x40
    writeFileSync(file, bytes)
    const log = StatementFile.open(file, opts)
    if (hex(log.all()).length !== 2) wrong.push(`byte ${at}`)
    log.add(record(4, 9))
    if (log.of(4).length !== 1) wrong.push(`added, byte ${at}`)
    log.close()
  }
  t.deepEqual(wrong, [])
  t.end()
})

test('it stays within its own file', t => {
  const folder = createFolder(t)
  const [file, other] = [path.join(folder, 'attestations'), path.join(folder, 'other')]
  StatementFile.open(file, opts).close()
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal(codeOf(() => StatementFile.open(file, { ...opts, digest: new Uint8Array(32) })), 'BW_ERR_OUTPUT_FOLDER', 'another task')
  writeFileSync(other, 'x')
  symlinkSync(other, path.join(folder, 'link'))
  t.equal(codeOf(() => StatementFile.open(path.join(folder, 'link'), opts)), 'BW_ERR_SYMLINK', 'a symbolic link')
  mkdirSync(path.join(folder, 'folder'))
  t.equal(codeOf(() => StatementFile.open(path.join(folder, 'folder'), opts)), 'BW_ERR_OUTPUT_FOLDER', 'a folder')
  linkSync(file, path.join(folder, 'copy'))
  const log = StatementFile.open(path.join(folder, 'copy'), opts)
  log.add(record(1, 1))
  t.equal(statSync(file).size, HEADER, 'a copy by hard links is not written through')
  log.close()
  t.equal(codeOf(() => { log.add(record(1, 1)) }), 'BW_ERR_STORE_CLOSED')
  t.deepEqual([log.of(1), [...log.all()]], [[], []])
  log.close()
  t.equal(readFileSync(other, 'utf8'), 'x')
  t.end()
})

test('the ledger: whole or not there', async t => {
  const folder = createFolder(t)
  const task = createTask({ name: 'x', command: 'true', parts: 4, pieceLength: 100 })
  const root = path.join(folder, '.bitworker', task.infoHash)
  mkdirSync(root, { recursive: true })
  const files = VerificationFiles.open(folder, task, BRANCH_BYTES)
  t.equal(files.readLedger(), undefined)
  await files.writeLedger({ level: 1, keys: ['ab'] })
  t.deepEqual(files.readLedger(), { level: 1, keys: ['ab'] })
  t.equal(statSync(path.join(root, 'ledger')).mode & 0o777, 0o600)
  appendFileSync(path.join(root, 'ledger'), '}')
  t.equal(files.readLedger(), undefined, 'damaged')
  files.close()
  t.end()
})

test('kill -9 at any moment: what was sent is on disk, and nothing else is attested after that', async t => {
  const folder = createFolder(t)
  const task = createTask({ name: 'x', command: 'true', parts: 2000, pieceLength: 100 })
  mkdirSync(path.join(folder, '.bitworker', task.infoHash), { recursive: true })
  const sent = new Map<number, string>()
  const wrong: string[] = []
  for (let seed = 1; seed <= 4; seed++) {
    const script = new URL('../fixtures/attest-forever.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [script, folder, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'close')
    let output = ''
    child.stdout.setEncoding('utf8').on('data', chunk => {
      output += chunk
      // after some records, in the middle of whatever it does
      if (output.length > 347 * (150 + 40 * seed)) child.kill('SIGKILL')
    })
    await ended
    for (const line of output.split('\n').filter(each => each.length === 2 * BRANCH_BYTES)) {
      const { index } = readKept(Buffer.from(line, 'hex'), task)!
      if ((sent.get(index) ?? line) !== line) wrong.push(`piece ${index} twice, seed ${seed}`)
      sent.set(index, line)
    }
    const files = VerificationFiles.open(folder, task, BRANCH_BYTES)
    for (const [index, line] of sent) if (!hex(files.statements.of(index)).includes(line)) wrong.push(`piece ${index} is lost`)
    files.close()
  }
  t.ok(sent.size > 500, `${sent.size} pieces attested`)
  t.deepEqual(wrong, [])
  t.end()
})

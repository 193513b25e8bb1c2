// What a task says about verifying its results: read strictly, written as it was given.
import test from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { createTask, encodeTask, parseTask } from '../../lib/task/task.ts'
import type { CreateTaskOptions, Task } from '../../lib/task/task.ts'
import { judgeTask } from '../../lib/trust/judge.ts'
import { generateKeyPairSync } from 'node:crypto'
import { publicKeyOf } from '../../lib/task/ed25519.ts'
import { signTask } from '../../lib/task/signature.ts'

const OPTIONS = { name: 'x', command: 'true', parts: 1 }
/** of test 1 in RFC 8032 */
const KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'
const BYTES = new Uint8Array(Buffer.from(KEY, 'hex'))
const VERIFYING = {
  verifyCommand: 'grep -qx "$PIECE_IDX"',
  verifyTimeoutMs: 5000,
  compareCommand: 'cmp -s a b',
  deterministic: false,
  checkers: [KEY]
}

function read (keys: Record<string, Encodable>): Task {
  const bitworker = { command: 'true', version: 2, ...keys }
  return parseTask(encode({ info: { bitworker, length: 8, name: 'x', 'piece length': 4 } }))
}

test('what a task says about verifying is kept', t => {
  const task = createTask({ ...OPTIONS, ...VERIFYING })
  for (const [key, value] of Object.entries(VERIFYING)) t.deepEqual(task[key as keyof Task], value, key)
  t.deepEqual(parseTask(encodeTask(task)), task, 'a round trip')
  t.equal(task.unsupported, undefined)
  t.ok(Buffer.from(task.info).includes('7:versioni2e'), 'who does not know it downloads only')
  t.equal(createTask({ ...OPTIONS, deterministic: true }).deterministic, true)
  t.equal(createTask({ ...OPTIONS, checkers: [] }).infoHash, createTask(OPTIONS).infoHash, 'none is none')
  t.deepEqual(read({ version: 1, 'verify command': 'true' }).unsupported, ['the key "verify command"'], 'not in version 1')
  t.end()
})

test('what cannot be verified with is refused', t => {
  const wrong: Array<[keys: Record<string, Encodable>, code: string]> = [
    ...['', ' \n', 'a\0', 'a'.repeat(65_537), Uint8Array.of(0xff), 1, ['true']].flatMap(
      (command): typeof wrong => ['verify command', 'compare command'].map(key => [{ [key]: command }, 'BW_ERR_TASK_COMMAND'])
    ),
    [{ deterministic: 2 }, 'BW_ERR_TASK_COMMAND'],
    [{ deterministic: 'yes' }, 'BW_ERR_TASK_COMMAND'],
    [{ 'verify timeout': 5 }, 'BW_ERR_TASK_TIMEOUT'],
    ...[0, -1, 31_536_001, '5'].map((seconds): typeof wrong[number] => [
      { 'verify command': 'true', 'verify timeout': seconds }, 'BW_ERR_TASK_TIMEOUT'
    ]),
    ...[
      [], {}, KEY, [1], [[]], [BYTES, BYTES], [BYTES.subarray(1)], [new Uint8Array(32)],
      [new Uint8Array(32).fill(0xff)],
      Array.from({ length: 9 }, (_, i) => new Uint8Array(32).fill(i + 2))
    ].map((checkers): typeof wrong[number] => [{ checkers }, 'BW_ERR_TASK_CHECKERS'])
  ]
  for (const [keys, code] of wrong) t.throws(() => read(keys), { code }, JSON.stringify(keys).slice(0, 60))
  for (const [options, says] of [
    [{ verifyCommand: 1 }, /verifyCommand must be a string/],
    [{ compareCommand: '\ud800' }, /compareCommand is not well-formed/],
    [{ verifyCommand: ' ' }, /verify command is empty\.$/],
    [{ verifyTimeoutMs: 1000 }, /verify timeout has no verify command/],
    [{ verifyCommand: 'true', verifyTimeoutMs: 1500 }, /verify timeout is 1\.5 s/],
    [{ deterministic: 1 }, /deterministic must be true or false/],
    [{ checkers: KEY }, /checkers must be a list/],
    [{ checkers: ['abc'] }, /checkers must be a list/]
  ] as Array<[object, RegExp]>) t.throws(() => createTask({ ...OPTIONS, ...options }), says)
  t.end()
})

test('trust for some hours counts the time of verifying', t => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = Buffer.from(publicKeyOf(privateKey)).toString('hex')
  const verdict = (options: Partial<CreateTaskOptions>, maxHours: number): string => judgeTask(
    signTask(createTask({ ...OPTIONS, parts: 2, timeoutMs: 1_800_000, ...options }), privateKey, { time: new Date(0) }),
    { authors: [{ key, maxHours }] }, new Date()
  ).verdict
  t.equal(verdict({}, 1), 'trusted')
  t.equal(verdict({ verifyCommand: 'true' }, 1), 'ask', 'without a limit of its own, as long as a work item')
  t.equal(verdict({ verifyCommand: 'true' }, 2), 'trusted')
  t.equal(verdict({ verifyCommand: 'true', verifyTimeoutMs: 1000 }, 1), 'ask')
  t.end()
})

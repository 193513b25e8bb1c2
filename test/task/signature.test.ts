// Signatures of tasks: the published vectors, what is refused, and what happens to a signed file that was tampered
// with.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import decodeMagnet from 'magnet-uri'
import test from 'tape'
import { fixtures, RFC_KEY } from '../../fixtures/make.ts'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { isSignatureOf, whyNoPublicKey } from '../../lib/task/ed25519.ts'
import { parsePublicKey } from '../../lib/task/key-format.ts'
import { refusePins, withPins } from '../../lib/task/pins.ts'
import type { LinkPins } from '../../lib/task/pins.ts'
import { signTask } from '../../lib/task/signature.ts'
import { createTask, encodeTask, magnetOf, parseTask } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import { isRefused } from '../helpers/refused.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`# seed ${seed} (SEED=${seed} repeats this run)`)

type Vector =
  | {
    kind: 'signature'
    name: string
    info: string
    digest: string
    remark: string
    signed: string
    publicKey: string
    signature: string
    xSig: string
  }
  | { kind: 'bad key', name: string, publicKey: string }
const vectors = JSON.parse(
  readFileSync(new URL('../../fixtures/task-signatures.json', import.meta.url), 'utf8')
) as Vector[]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const TIME = new Date(1_767_323_045_000)
const newKey = (): ReturnType<typeof generateKeyPairSync>['privateKey'] => generateKeyPairSync('ed25519').privateKey

const task = createTask({ name: 'x', command: 'echo $PIECE_IDX', parts: 2, pieceLength: 64, timeoutMs: 60_000 })
const signed = signTask(task, RFC_KEY, { time: TIME, label: 'Ada' })
const RFC_PUBLIC = signed.signatures[0]!.publicKey

/** A task file around the vectors' task, with this under `signatures`. */
const fileWith = (signatures: Encodable): Uint8Array => encode({ info: new Map(infoMap()), signatures })
function infoMap (): Map<string, Encodable> {
  return new Map<string, Encodable>([
    ['bitworker', { command: task.command, timeout: 60, version: 1 }],
    ['length', 128],
    ['name', 'x'],
    ['piece length', 64]
  ])
}
const ENTRY = { k: unhex(RFC_PUBLIC), s: signed.signatures[0]!.signature, i: { l: 'Ada', t: 1_767_323_045 } }

test('vectors: signatures', t => {
  for (const vector of vectors) {
    if (vector.kind !== 'signature') continue
    const { name, info, digest, remark, signature, publicKey, xSig } = vector
    const file = Buffer.concat([
      Buffer.from(`d4:info${info}10:signaturesd7:ed25519ld1:i${remark}1:k32:`),
      unhex(publicKey),
      Buffer.from('1:s64:'),
      unhex(signature),
      Buffer.from('eeee')
    ])
    const read = parseTask(new Uint8Array(file))
    t.equal(hex(read.digest), digest, `${name}: digest`)
    t.equal(read.signatures[0]?.publicKey, publicKey, `${name}: read`)
    t.equal(hex(encodeTask(read)), hex(file), `${name}: written as it was`)
    t.ok(isSignatureOf(unhex(publicKey), unhex(vector.signed), unhex(signature)), `${name}: over these bytes`)
    t.ok(magnetOf(read).endsWith(`&x.pk=${publicKey}&x.sig=${xSig}`), `${name}: in a link`)
  }
  t.equal(hex(encodeTask(signed)), hex(fixtures['signed.bitworker']!), 'made here, it is the same')
  t.deepEqual(parseTask(encodeTask(signed)), signed)
  t.end()
})

test('vectors: keys that are nobody\'s', t => {
  const identity = Buffer.alloc(64)
  identity[0] = 1
  for (const vector of vectors) {
    if (vector.kind !== 'bad key') continue
    const key = unhex(vector.publicKey)
    t.ok(whyNoPublicKey(key), `${vector.name}: ${vector.publicKey}`)
    t.throws(() => parsePublicKey(vector.publicKey), { code: 'BW_ERR_KEY' })
    t.notOk(isSignatureOf(key, key, identity), 'nothing is signed by it')
    isRefused(t, 'a task file', 'BW_ERR_TASK_SIGNATURE', () => parseTask(fileWith({ ed25519: [{ ...ENTRY, k: key }] })))
  }
  t.equal(whyNoPublicKey(unhex(RFC_PUBLIC)), null)
  t.ok(whyNoPublicKey(new Uint8Array(31)), 'too short')
  t.end()
})

test('a public key as text', t => {
  for (const [text, expected] of [
    [RFC_PUBLIC, { key: RFC_PUBLIC }],
    [`  ${RFC_PUBLIC.toUpperCase()}\n`, { key: RFC_PUBLIC }],
    [`bitworker-ed25519 ${RFC_PUBLIC} Ada Lovelace\n`, { key: RFC_PUBLIC, label: 'Ada Lovelace' }],
    [`bitworker-ed25519 ${RFC_PUBLIC}`, { key: RFC_PUBLIC }]
  ] as const) t.deepEqual(parsePublicKey(text), expected, text)
  for (const text of [
    '', 'x', RFC_PUBLIC.slice(1), `${RFC_PUBLIC}0`, `ssh-ed25519 ${RFC_PUBLIC}`, RFC_KEY, `${RFC_PUBLIC}\n${RFC_PUBLIC}`
  ]) {
    isRefused(t, JSON.stringify(text), 'BW_ERR_KEY', () => parsePublicKey(text))
  }
  t.end()
})

test('which tasks can be signed', t => {
  const again = signTask(signed, RFC_KEY, { time: new Date(0) })
  t.deepEqual(
    again.signatures.map(({ publicKey, time, label }) => [publicKey, time.getTime(), label]),
    [[RFC_PUBLIC, 0, undefined]],
    'the same key once'
  )
  let many: Task = signed
  for (let n = 1; n < 8; n++) many = signTask(many, newKey(), { time: TIME })
  t.deepEqual(parseTask(encodeTask(many)), many, 'eight signers')
  isRefused(t, 'a ninth', 'BW_ERR_TASK_OPTIONS', () => signTask(many, newKey(), { time: TIME }))
  for (const [what, code, sign] of [
    ['a time before 1970', 'BW_ERR_TASK_OPTIONS', () => signTask(task, RFC_KEY, { time: new Date(-1000) })],
    ['no time', 'BW_ERR_TASK_OPTIONS', () => signTask(task, RFC_KEY, { time: new Date(NaN) })],
    ['an empty label', 'BW_ERR_TASK_OPTIONS', () => signTask(task, RFC_KEY, { time: TIME, label: '' })],
    ['a long label', 'BW_ERR_TASK_OPTIONS', () => signTask(task, RFC_KEY, { time: TIME, label: 'x'.repeat(129) })],
    ['half a character', 'BW_ERR_TASK_OPTIONS', () => signTask(task, RFC_KEY, { time: TIME, label: '\ud800' })],
    [
      'a legacy task',
      'BW_ERR_TASK_OPTIONS',
      () => signTask(parseTask(fixtures['legacy-squares.rbw']!, { legacySwarm: true }), RFC_KEY, { time: TIME })
    ],
    ['no key', 'BW_ERR_KEY', () => signTask(task, 'x', { time: TIME })],
    ['a public key', 'BW_ERR_KEY', () => signTask(task, generateKeyPairSync('ed25519').publicKey, { time: TIME })],
    [
      'an RSA key',
      'BW_ERR_KEY',
      () => signTask(task, generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey, { time: TIME })
    ],
    [
      'a key with a passphrase',
      'BW_ERR_KEY',
      () =>
        signTask(
          task,
          String(newKey().export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })),
          { time: TIME }
        )
    ]
  ] as const)
    isRefused(t, what, code, sign)
  t.end()
})

test('malformed signatures', t => {
  t.deepEqual(
    parseTask(fileWith({ ed25519: [ENTRY] })).signatures, signed.signatures, 'the one that the others are made of'
  )
  for (const signatures of [{}, { ed25519: [] }, { 'com.example': { signature: 'x' } }]) {
    t.deepEqual(parseTask(fileWith(signatures)).signatures, [], 'none')
  }
  const flipped = Uint8Array.from(ENTRY.s, (byte, i) => i === 0 ? byte ^ 1 : byte)
  const entries: Array<[string, Encodable]> = [
    ['not a dictionary', 1],
    ['no list', { ed25519: ENTRY }],
    ['an entry that is none', { ed25519: [1] }],
    ['without a key', { ed25519: [{ s: ENTRY.s, i: ENTRY.i }] }],
    ['without a signature', { ed25519: [{ k: ENTRY.k, i: ENTRY.i }] }],
    ['a short key', { ed25519: [{ ...ENTRY, k: 'x' }] }],
    ['a short signature', { ed25519: [{ ...ENTRY, s: 'x' }] }],
    ['another signature', { ed25519: [{ ...ENTRY, s: flipped }] }],
    ['another key', { ed25519: [{ ...ENTRY, k: unhex(RFC_PUBLIC.replace(/^d7/, 'd6')) }] }],
    ['another time', { ed25519: [{ ...ENTRY, i: { l: 'Ada', t: 1 } }] }],
    ['another label', { ed25519: [{ ...ENTRY, i: { ...ENTRY.i, l: 'Eve' } }] }],
    ['no label', { ed25519: [{ ...ENTRY, i: { t: ENTRY.i.t } }] }],
    ['no time', { ed25519: [{ ...ENTRY, i: { l: 'Ada' } }] }],
    ['no remark', { ed25519: [{ ...ENTRY, i: 1 }] }],
    ['a negative time', { ed25519: [{ ...ENTRY, i: { t: -1 } }] }],
    ['a label that is not text', { ed25519: [{ ...ENTRY, i: { ...ENTRY.i, l: Uint8Array.of(255) } }] }],
    ['one twice', { ed25519: [ENTRY, ENTRY] }],
    ['one good, one bad', { ed25519: [ENTRY, { ...ENTRY, k: newPublic(), s: flipped }] }],
    ['a thousand', { ed25519: Array.from({ length: 1000 }, () => ENTRY) }]
  ]
  for (const [what, value] of entries) isRefused(t, what, 'BW_ERR_TASK_SIGNATURE', () => parseTask(fileWith(value)))
  t.end()
})

function newPublic (): Uint8Array {
  return unhex(signTask(task, newKey(), { time: TIME }).signatures[0]!.publicKey)
}

test('a signed file with one byte changed is refused, or is the same task, or is not signed', t => {
  const file = fixtures['signed.bitworker']!
  const random = randomBytes(seed)
  const seen = { refused: 0, same: 0, unsigned: 0, wrong: [] as string[] }
  for (let at = 0; at < file.length; at++) {
    for (const byte of [file[at]! ^ 1, file[at]! ^ 0x80, random(), random(), random()]) {
      if (byte === file[at]) continue
      const changed = Uint8Array.from(file, (old, i) => i === at ? byte : old)
      const read = readOrNull(changed)
      if (read === null) seen.refused++
      else if (read.signatures.length === 0) seen.unsigned++
      else if (
        hex(read.digest) === hex(task.digest) &&
        read.signatures[0]?.publicKey === RFC_PUBLIC &&
        read.signatures[0].label === 'Ada'
      )
        seen.same++
      else seen.wrong.push(`byte ${at} as ${byte}`)
    }
  }
  t.deepEqual(seen.wrong, [], (JSON.stringify(seen)))
  t.ok(seen.refused > 1000, 'most are refused')
  t.end()
})

function readOrNull (bytes: Uint8Array): Task | null {
  try {
    return parseTask(bytes)
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('BW_ERR_TASK_') === true) return null
    throw error
  }
}

/** A linear congruential generator: enough to choose bytes. */
function randomBytes (state: number): () => number {
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
}

test('a link contains the signature, and pins the signer', t => {
  const two = signTask(signed, newKey(), { time: TIME })
  const link = pinsIn(magnetOf(two))
  t.deepEqual(withPins(task, link).signatures, two.signatures, 'metadata becomes the signed task again')
  t.deepEqual(withPins(signed, link).signatures, two.signatures, 'also if it came signed')
  t.deepEqual(withPins(task, {}), task, 'a link without')
  t.deepEqual(
    withPins(signed, { 'x.pk': RFC_PUBLIC.toUpperCase() }), signed, 'a pin alone, for a task that came signed'
  )
  const [one] = signed.signatures
  const { 'x.sig': sig } = pinsIn(magnetOf(signed))
  const other = createTask({ name: 'x', command: 'rm -rf /', parts: 2 })
  for (const [what, code, read] of [
    ['a pin alone', 'BW_ERR_TASK_SIGNER', () => withPins(task, { 'x.pk': one!.publicKey })],
    [
      'a pin of somebody else',
      'BW_ERR_TASK_SIGNER',
      () => withPins(task, { ...pinsIn(magnetOf(signed)), 'x.pk': hex(newPublic()) })
    ],
    ['one pin too many', 'BW_ERR_TASK_SIGNER', () => withPins(task, { 'x.pk': link['x.pk'], 'x.sig': sig })],
    ['another task', 'BW_ERR_TASK_SIGNATURE', () => withPins(other, link)],
    [
      'an ordinary torrent',
      'BW_ERR_TASK_SIGNER',
      () => {
        refusePins(link)
      }
    ],
    ['a signature twice', 'BW_ERR_TASK_SIGNATURE', () => withPins(task, { 'x.sig': [sig, sig] })],
    ['no key', 'BW_ERR_TASK_SIGNATURE', () => withPins(signed, { 'x.pk': 'x' })],
    ['no base64', 'BW_ERR_TASK_SIGNATURE', () => withPins(task, { 'x.sig': '%' })],
    ['no bencode', 'BW_ERR_TASK_SIGNATURE', () => withPins(task, { 'x.sig': 'AAAA' })],
    ['a long one', 'BW_ERR_TASK_SIGNATURE', () => withPins(task, { 'x.sig': 'A'.repeat(4096) })]
  ] as const)
    isRefused(t, what, code, read)
  refusePins({})
  t.end()
})

function pinsIn (link: string): LinkPins {
  return decodeMagnet(link) as LinkPins
}

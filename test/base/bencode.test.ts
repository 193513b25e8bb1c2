import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import test from 'tape'
import { decode, decodeDict, encode, textOf } from '../../lib/base/bencode.ts'
import type { Bvalue, DecodeLimits, Encodable } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
console.log(`# seed ${seed} (SEED=${seed} repeats this run)`)

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const text = (value: Uint8Array): string => Buffer.from(value).toString('latin1')

/** The message of the BW_ERR_BENCODE that `run` throws; anything else it throws is rethrown. */
function refusal (run: () => unknown): string | null {
  try {
    run()
  } catch (error) {
    if (error instanceof BitWorkerError && error.code === 'BW_ERR_BENCODE') return error.message
    throw error
  }
  return null
}

test('canonical bencode is read, and written back byte for byte', t => {
  const cases: Array<[string, Bvalue]> = [
    ['i0e', 0],
    ['i-1e', -1],
    ['i9007199254740991e', Number.MAX_SAFE_INTEGER],
    ['i-9007199254740991e', Number.MIN_SAFE_INTEGER],
    ['0:', bytes('')],
    ['4:spam', bytes('spam')],
    ['3:\xff\x00\x80', bytes('\xff\x00\x80')],
    ['le', []],
    ['de', new Map()],
    ['li1e0:lee', [1, bytes(''), []]],
    ['d0:i1e1:ai2e2:aai3ee', new Map([['', 1], ['a', 2], ['aa', 3]])],
    ['d9:__proto__i1ee', new Map([['__proto__', 1]])],
    // In UTF-8 U+FF5E comes before U+1F600, in UTF-16 after it.
    ['d3:\xef\xbd\x9ei1e4:\xf0\x9f\x98\x80i2ee', new Map([['\uff5e', 1], ['\u{1f600}', 2]])],
    ['d4:\xef\xbb\xbfai1ee', new Map([['\ufeffa', 1]])]
  ]
  for (const [input, value] of cases) {
    t.deepEqual(decode(bytes(input)), value, JSON.stringify(input))
    t.equal(text(encode(value)), input, `and back: ${JSON.stringify(input)}`)
  }
  t.end()
})

test('anything else is refused, and the message says why', t => {
  const cases: Array<[input: string, why: RegExp]> = [
    ['', /ends too early/],
    ['x', /a digit was expected/],
    ['e', /a digit was expected/],
    ['i', /ends too early/],
    ['ie', /without digits/],
    ['i-e', /without digits/],
    ['i5', /ends too early/],
    ['i-0e', /negative zero/],
    ['i007e', /leading zero/],
    ['i00e', /leading zero/],
    ['i+5e', /a digit was expected/],
    ['i1.9e', /a digit was expected/],
    ['i1e5e', /bytes follow/],
    ['i--1e', /a digit was expected/],
    ['i9007199254740992e', /beyond 2\^53/],
    ['i-9007199254740992e', /beyond 2\^53/],
    [`i${'9'.repeat(400)}e`, /beyond 2\^53/],
    [':', /without digits/],
    ['-3:abc', /a digit was expected/],
    ['+3:abc', /a digit was expected/],
    ['1.5:ab', /a digit was expected/],
    ['03:abc', /leading zero/],
    ['00:', /leading zero/],
    ['10:abc', /ends within a string/],
    ['9007199254740991:abc', /ends within a string/],
    ['99999999999999999999:a', /beyond 2\^53/],
    ['3', /ends too early/],
    ['3:abcd', /bytes follow/],
    ['l', /ends too early/],
    ['li1e', /ends too early/],
    ['d', /ends too early/],
    ['d1:ae', /a digit was expected/],
    ['d1:a', /ends too early/],
    ['di1ei2ee', /a digit was expected/],
    ['d1:bi1e1:ai2ee', /not sorted/],
    ['d1:ai1e1:ai2ee', /comes twice/],
    ['d1:\xffi1ee', /not UTF-8/],
    ['d2:\xc0\x80i1ee', /not UTF-8/],
    ['d3:\xed\xa0\x80i1ee', /not UTF-8/],
    ['dee', /bytes follow/]
  ]
  for (const [input, why] of cases) {
    const message = refusal(() => decode(bytes(input))) ?? 'accepted'
    t.match(message, why, JSON.stringify(input.slice(0, 40)))
    t.notOk(message.includes('\n'), 'one line')
  }
  t.end()
})

test('limits', t => {
  const cases: Array<[name: string, input: Uint8Array, limits: DecodeLimits, why: RegExp | null]> = [
    ['depth 32', bytes('l'.repeat(32) + 'e'.repeat(32)), {}, null],
    ['depth 33', bytes('l'.repeat(33) + 'e'.repeat(33)), {}, /more than 32 deep/],
    ['a million lists deep', bytes('l'.repeat(1_000_000)), {}, /more than 32 deep/],
    ['dictionaries nest, too', bytes('d1:a'.repeat(33) + 'i1e' + 'e'.repeat(33)), {}, /more than 32 deep/],
    ['the depth cannot be raised', bytes('l'.repeat(33) + 'e'.repeat(33)), { maxDepth: 1000 }, /more than 32 deep/],
    ['a lower depth', bytes('llee'), { maxDepth: 1 }, /more than 1 deep/],
    ['scalars have no depth', bytes('i1e'), { maxDepth: 0 }, null],
    ['200 000 tokens', bytes('l' + 'i1e'.repeat(199_999) + 'e'), {}, null],
    ['200 001 tokens', bytes('l' + 'i1e'.repeat(200_000) + 'e'), {}, /too many values/],
    ['keys are tokens', bytes('d1:ai1e1:bi1ee'), { maxTokens: 4 }, /too many values/],
    ['4 MiB', bytes('4194296:' + 'a'.repeat(4_194_296)), {}, null],
    ['more than 4 MiB', new Uint8Array(4_194_305), {}, /more than the 4194304 allowed/],
    ['a lower length', bytes('4:spam'), { maxBytes: 5 }, /6 bytes, more than the 5/],
    ['unsorted root keys', bytes('d1:bi1e1:ai2ee'), { unsortedRootKeys: true }, null],
    ['unsorted, but twice', bytes('d1:bi1e1:ai2e1:bi1ee'), { unsortedRootKeys: true }, /comes twice/],
    ['unsorted below the root', bytes('d1:ad1:bi1e1:ai2eee'), { unsortedRootKeys: true }, /not sorted/]
  ]
  for (const [name, input, limits, why] of cases) {
    const message = refusal(() => decode(input, limits))
    if (why === null) t.equal(message, null, `${name}: accepted`)
    else t.match(message ?? 'accepted', why, `${name}: refused`)
  }
  t.ok(refusal(() => decode('i1e' as unknown as Uint8Array)), 'a string is not bytes')
  t.end()
})

test('decodeDict gives the received bytes of each root value', t => {
  const { dict, sorted, span } = decodeDict(bytes('d1:bd1:xi1ee1:a3:abce'), { unsortedRootKeys: true })
  t.deepEqual([...dict.keys()], ['b', 'a'], 'in the order received')
  t.equal(sorted, false)
  t.equal(text(span('b')), 'd1:xi1ee')
  t.equal(text(span('a')), '3:abc')
  t.ok(refusal(() => span('x')), 'only root keys')
  t.equal(decodeDict(bytes('d1:ai1e1:bi1ee')).sorted, true)
  t.ok(refusal(() => decodeDict(bytes('le'))), 'a list is not a dictionary')
  t.end()
})

test('strings of a Buffer are plain views of it', t => {
  const input = Buffer.from('xx4:spamxx').subarray(2, 8)
  const value = decode(input) as Uint8Array
  t.notOk(Buffer.isBuffer(value))
  t.equal(value.buffer, input.buffer, 'no copy')
  t.equal(textOf(value), 'spam')
  t.equal(textOf(Uint8Array.of(0xff)), undefined)
  t.equal(textOf(1), undefined)
  t.end()
})

test('encode accepts text, maps and plain objects, and rejects other values', t => {
  t.equal(text(encode({ b: 'ü', a: undefined, aa: [1, 'x'] })), 'd2:aali1e1:xe1:b2:\xc3\xbce')
  t.equal(text(encode(new Map([['b', 1], ['a', 2]]))), 'd1:ai2e1:bi1ee')
  t.equal(text(encode(-0)), 'i0e')
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  for (const bad of [
    1.5, NaN, Infinity, 2 ** 53, '\ud800', null, undefined, true, 10n, new Date(0), new Set([1]), [null], cyclic
  ]) {
    t.match(
      refusal(() => encode(bad as Encodable)) ?? 'accepted', /Bencode cannot represent/, Object.prototype.toString.call(bad)
    )
  }
  t.end()
})

const leaf = fc.oneof(fc.maxSafeInteger(), fc.uint8Array({ maxLength: 40 }))
const value = fc.letrec<{ any: Bvalue }>(tie => ({
  any: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('any'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), tie('any')), { maxLength: 5 }).map(entries => new Map(entries))
  )
})).any

test('property: decode(encode(x)) = x, and encoding that gives the same bytes', t => {
  fc.assert(fc.property(value, x => {
    const encoded = encode(x)
    const again = decode(encoded)
    return isDeepStrictEqual(again, x) && text(encode(again)) === text(encoded)
  }), { seed, numRuns: 2000 })
  t.pass('2000 values')
  t.end()
})

test('property: accepted bytes are canonical; others throw BW_ERR_BENCODE and nothing else', t => {
  const alphabet = fc.constantFrom(...bytes('dlie0123456789:-a\xff'))
  const soup = fc.array(alphabet, { maxLength: 60 }).map(codes => Uint8Array.from(codes))
  const mutated = fc
    .tuple(value, fc.array(fc.tuple(fc.nat(), alphabet), { minLength: 1, maxLength: 3 }))
    .map(([x, edits]) => {
      const input = encode(x)
      for (const [at, byte] of edits) input[at % input.length] = byte
      return input
    })
  let accepted = 0
  fc.assert(fc.property(fc.oneof(soup, mutated, fc.uint8Array({ maxLength: 200 })), input => {
    let decoded: Bvalue | undefined
    if (refusal(() => { decoded = decode(input) }) !== null) return
    accepted++
    if (text(encode(decoded!)) !== text(input)) throw new Error('accepted, but not canonical')
  }), { seed, numRuns: 20_000 })
  t.ok(accepted > 0, `20 000 inputs, ${accepted} accepted`)
  t.end()
})

test('property: every proper prefix of a value is refused', t => {
  fc.assert(fc.property(value, x => {
    const input = encode(x)
    for (let length = 0; length < input.length; length++) {
      if (refusal(() => decode(input.subarray(0, length))) === null) return false
    }
    return true
  }), { seed, numRuns: 300 })
  t.pass('300 values')
  t.end()
})

// What peers sign: attestations, certificates, proofs of a key.
import { createPrivateKey, generateKeyPairSync, randomInt, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import test from 'tape'
import { packKept } from '../../extensions/ut_bitworker/index.ts'
import type { AttestationRecord } from '../../extensions/ut_bitworker/index.ts'
import { isSignatureOf, signatureChecker } from '../../lib/task/ed25519.ts'
import { attest, attestedBytes, signerOf, wireProofBytes } from '../../lib/trust/attest.ts'
import type { Signer, WireProof } from '../../lib/trust/attest.ts'
import { openBatch, signBatch, signedBytes } from '../../lib/trust/batch.ts'
import { certifyMember, memberBytes } from '../../lib/trust/member.ts'
import { bitworkerVectors, fromHex, ofKind, statementOf, toHex } from '../helpers/bitworker-vectors.ts'

const PKCS8 = '302e020100300506032b657004220420'
const secretOf = (seed: string): Signer =>
  signerOf(createPrivateKey({ key: Buffer.from(PKCS8 + seed, 'hex'), format: 'der', type: 'pkcs8' }))
const vectors = bitworkerVectors()
const taskDigest = fromHex(ofKind(vectors, 'task')[0]!.digest)
const [example] = ofKind(vectors, 'attestation')
const signer = secretOf(example!.secretKey)
const nine = statementOf(example!.statement)

const some = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })

test('vectors: what is signed', t => {
  const check = signatureChecker()
  const all = [
    ...ofKind(vectors, 'attestation').map(vector => [vector, attestedBytes(taskDigest, statementOf(vector.statement))] as const),
    ...ofKind(vectors, 'certificate').map(vector => [vector, memberBytes(taskDigest, vector.peerKey)] as const),
    ...ofKind(vectors, 'proof').map(vector => [vector, wireProofBytes({
      taskDigest,
      senderNonce: fromHex(vector.senderNonce),
      receiverNonce: fromHex(vector.receiverNonce),
      senderPeerId: fromHex(vector.senderPeerId),
      receiverPeerId: fromHex(vector.receiverPeerId)
    })] as const)
  ]
  t.ok(all.length >= 4)
  for (const [{ name, signed, secretKey, key, signature }, bytes] of all) {
    const by = secretOf(secretKey)
    t.equal(by.key, key, `${name}: key`)
    t.equal(toHex(bytes), signed, `${name}: bytes`)
    t.equal(toHex(by.sign(bytes)), signature, `${name}: signature`)
    t.ok(check(key, bytes, fromHex(signature)), `${name}: checked`)
  }
  t.end()
})

test('vectors: batches', t => {
  const check = signatureChecker()
  for (const { name, statements, secretKey, key, signed, signature, branches } of ofKind(vectors, 'batch')) {
    const said = statements.map(statementOf)
    const records = signBatch(taskDigest, said, secretOf(secretKey))
    t.deepEqual(records.map(record => toHex(packKept(record))), branches, `${name}: branches`)
    t.ok(records.every(record => toHex(signedBytes(taskDigest, record)) === signed), `${name}: bytes`)
    t.deepEqual(openBatch(taskDigest, { results: said, key, signature: fromHex(signature) }, check), records, name)
  }
  t.end()
})

test('a batch stands for its statements, in their order, and for no others', t => {
  const check = signatureChecker()
  const seed = randomInt(2 ** 31)
  const statement = fc.record({
    size: fc.nat(), digest: some(32), kind: fc.constant(0 as const), basis: fc.constant(null)
  })
  fc.assert(fc.property(
    fc.array(statement, { minLength: 2, maxLength: 16 }), fc.nat(), fc.nat(),
    (all, at, bit) => {
      const statements = all.map((each, index) => ({ index, ...each }))
      const records = signBatch(taskDigest, statements, signer)
      const isRight = (record: AttestationRecord): boolean =>
        check(record.key, signedBytes(taskDigest, record), record.signature)
      const record = records[at % records.length]!
      const { branch, size, digest, signature, key } = record
      const flipped = (bytes: Uint8Array): Uint8Array => {
        const copy = Uint8Array.from(bytes)
        copy[(bit >> 3) % copy.length]! ^= 1 << (bit & 7)
        return copy
      }
      const others = [
        { ...record, size: size + 1 },
        { ...record, digest: flipped(digest) },
        { ...record, branch: { ...branch!, hashes: flipped(branch!.hashes) } },
        { ...record, branch: { ...branch!, position: (branch!.position + 1 + bit % 15) % 16 } },
        { ...record, signature: flipped(signature) },
        { ...statements[at % records.length]!, key, signature }
      ]
      const reversed = { results: statements.toReversed(), key, signature }
      const fewer = { results: statements.slice(0, -1), key, signature }
      return records.every(isRight) && !others.some(isRight) && openBatch(taskDigest, reversed, check) === null &&
        openBatch(taskDigest, fewer, check) === null
    }
  ), { seed, numRuns: 40 })
  t.comment(`seed ${seed}`)
  t.end()
})

test('the example of the document', t => {
  const { signature, ...rest } = attest(taskDigest, nine, signer)
  t.deepEqual(rest, { ...nine, key: signer.key })
  t.equal(attestedBytes(taskDigest, nine).length, 128)
  const document = readFileSync('docs/ut_bitworker.md', 'utf8').replaceAll(/\s+/g, '')
  t.ok(document.includes(toHex(signature)))
  t.end()
})

test('a signature covers each bit of what is signed', t => {
  const check = signatureChecker()
  const cases = {
    attestation: attestedBytes(taskDigest, { ...nine, kind: 2, basis: new Uint8Array(32).fill(1) }),
    certificate: memberBytes(taskDigest, signer.key),
    proof: wireProofBytes({
      taskDigest,
      senderNonce: new Uint8Array(16).fill(1),
      receiverNonce: new Uint8Array(16).fill(2),
      senderPeerId: new Uint8Array(20).fill(3),
      receiverPeerId: new Uint8Array(20).fill(4)
    })
  }
  for (const [name, message] of Object.entries(cases)) {
    const signature = signer.sign(message)
    t.ok(check(signer.key, message, signature), name)
    for (const [what, bytes] of [['message', message], ['signature', signature]] as const) {
      const wrong: number[] = []
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        if (check(signer.key, message, signature)) wrong.push(bit)
        bytes[bit >> 3]! ^= 1 << (bit & 7)
      }
      t.deepEqual(wrong, [], `${name}: a bit of the ${what}`)
    }
  }
  t.end()
})

test('a certificate is worth nothing for another key or in another task', t => {
  const check = signatureChecker()
  const { key, trustedKey, certificate } = certifyMember(taskDigest, '07'.repeat(32), signer)
  t.deepEqual([key, trustedKey], ['07'.repeat(32), signer.key])
  t.ok(check(trustedKey, memberBytes(taskDigest, key), certificate))
  t.notOk(check(trustedKey, memberBytes(taskDigest, '08'.repeat(32)), certificate), 'another key')
  t.notOk(check(trustedKey, memberBytes(new Uint8Array(32), key), certificate), 'another task')
  t.end()
})

test('a proof is worth nothing on another connection, or in the other direction', t => {
  const proofs: fc.Arbitrary<WireProof> = fc.record({
    taskDigest: some(32),
    senderNonce: some(16),
    receiverNonce: some(16),
    senderPeerId: some(20),
    receiverPeerId: some(20)
  })
  fc.assert(fc.property(proofs, proofs, (a, b) => {
    const isSame = Object.keys(a).every(name =>
      toHex(a[name as keyof WireProof]) === toHex(b[name as keyof WireProof]))
    return isSame === (toHex(wireProofBytes(a)) === toHex(wireProofBytes(b)))
  }))
  t.end()
})

test('checks of signatures: weak keys, other lengths, and many keys', t => {
  const bad = (JSON.parse(readFileSync('fixtures/task-signatures.json', 'utf8')) as Array<{ kind: string, publicKey: string }>)
    .filter(({ kind }) => kind === 'bad key')
  t.ok(bad.length > 10)
  const message = attestedBytes(taskDigest, nine)
  const check = signatureChecker()
  // with the neutral element as key, this is valid for every message where weak keys are not refused
  const forged = new Uint8Array(64)
  forged[0] = 1
  t.deepEqual(bad.filter(({ publicKey }) => check(publicKey, message, forged)), [], 'weak keys')
  for (const length of [0, 63, 65]) t.notOk(check(signer.key, message, new Uint8Array(length)), `${length} bytes`)
  for (const key of ['', 'xx', 'ab', signer.key.slice(2)]) t.notOk(check(key, message, signer.sign(message)), `"${key}"`)
  // more than it remembers, each twice
  const pairs = Array.from({ length: 300 }, () => generateKeyPairSync('ed25519').privateKey)
  const signers = pairs.map(signerOf)
  const signatures = pairs.map(key => new Uint8Array(sign(null, message, key)))
  for (const round of [1, 2]) {
    t.ok(signers.every(({ key }, i) => check(key, message, signatures[i]!)), `round ${round}`)
    t.notOk(signers.some(({ key }, i) => check(key, message, signatures[(i + 1) % 300]!)), 'of another key')
  }
  t.ok(isSignatureOf(fromHex(signers[0]!.key), message, signatures[0]!))
  t.end()
})

// Batches: results that are signed together, and what hostile peers make of them.
import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import test from 'tape'
import type { BatchRecord, ResultRecord } from '../../extensions/ut_bitworker/index.ts'
import { packRecords } from '../../extensions/ut_bitworker/records.ts'
import { encode } from '../../lib/base/bencode.ts'
import { signatureChecker } from '../../lib/task/ed25519.ts'
import { attestedBytes } from '../../lib/trust/attest.ts'
import { signBatch, signedBytes } from '../../lib/trust/batch.ts'
import { Actor, Attester, SignedSwarm, attestation, resultOf } from '../helpers/attesters.ts'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const indicesOf = (records: Array<{ index: number }>): number[] =>
  records.map(({ index }) => index).sort((a, b) => a - b)

/** What is signed of the results by the actor, or by nobody. */
function batchOf (swarm: SignedSwarm, { signer }: Actor, results: ResultRecord[], isRight = true): BatchRecord {
  const statements = results.map(result => ({ ...result, kind: 0 as const, basis: null }))
  const [signed] = isRight ? signBatch(swarm.task.digest, statements, signer) : []
  return { count: results.length, signature: signed?.signature ?? new Uint8Array(64).fill(1) }
}

function say (actor: Actor, batches: BatchRecord[], results: ResultRecord[]): void {
  const message = encode({ batches: packRecords('batches', batches), results: packRecords('results', results) })
  actor.wires.at(-1)!.extended('ut_bitworker', message)
}

const result = (index: number, wrong = 0): ResultRecord => ({ index, ...resultOf(index, wrong) })

test('what is announced together has one signature for up to 16 results', async t => {
  const swarm = new SignedSwarm(100)
  const [a, b, c] = [1, 2, 3].map(id => new Attester(swarm, id))
  for (const other of [b!, c!]) swarm.connect(a!, other)
  await swarm.wait(500)
  const before = b!.checks
  for (const index of upTo(20)) a!.compute(index)
  await swarm.wait(500)
  for (const peer of [b!, c!]) {
    t.deepEqual(upTo(20).filter(index => peer.attesters(index).includes(a!.signer.key)), upTo(20))
  }
  t.equal(b!.checks - before, 2)
  t.deepEqual([b!.violations, c!.violations], [[], []])
  t.end()
})

test('a single attestation of a batch can be passed on, asked for, and read again', async t => {
  const swarm = new SignedSwarm(100)
  const [a, b, c] = [1, 2, 3].map(id => new Attester(swarm, id))
  const listener = new Actor(swarm, 4)
  swarm.connect(a!, b!)
  swarm.connect(b!, c!)
  swarm.connect(b!, listener)
  await swarm.wait(500)
  for (const index of upTo(10)) a!.compute(index)
  await swarm.wait(500)
  t.deepEqual(listener.attestations, [], 'the bulk is sent to those who ask')
  c!.compute(4, resultOf(4, 1))
  await swarm.wait(500)
  t.deepEqual(indicesOf(listener.attestations), [4], 'a contradiction is passed on')
  b!.store(7)
  listener.ext.ask([4, 7])
  await swarm.wait(1500)
  const check = signatureChecker()
  const byA = listener.attestations.filter(({ key }) => key === a!.signer.key)
  t.deepEqual(indicesOf(byA), [4, 7])
  for (const record of byA) {
    t.ok(check(record.key, signedBytes(swarm.task.digest, record), record.signature), `piece ${record.index}`)
    t.ok(record.branch !== undefined)
  }
  t.end()
})

test('who reads no batches is sent signatures of single results', async t => {
  const swarm = new SignedSwarm(100)
  const [a, b] = [new Attester(swarm, 1), new Attester(swarm, 2)]
  const old = new Actor(swarm, 3, { readsBatches: false })
  const both = new Actor(swarm, 4, { readsBatches: false })
  swarm.connect(a, b)
  swarm.connect(a, old)
  swarm.connect(b, both)
  await swarm.wait(500)
  for (const index of upTo(10)) a.compute(index)
  await swarm.wait(500)
  t.equal(old.batches, 0)
  t.deepEqual(indicesOf(old.attestations), upTo(10))
  old.ext.ask([3])
  both.ext.ask([3])
  await swarm.wait(1500)
  t.deepEqual(indicesOf(old.attestations), [...upTo(10), 3].sort((x, y) => x - y))
  const check = signatureChecker()
  t.ok(old.attestations.every(record => record.branch === undefined &&
    check(a.signer.key, attestedBytes(swarm.task.digest, record), record.signature)))
  t.deepEqual(both.attestations, [], 'what others signed in a batch is not for it')
  t.end()
})

test('who is not told all results of a batch is sent its attestations one by one', async t => {
  const swarm = new SignedSwarm(100)
  const [a, early, late] = [new Attester(swarm, 1), new Actor(swarm, 2), new Actor(swarm, 3)]
  swarm.connect(a, early)
  await swarm.wait(500)
  for (const index of upTo(6)) a.compute(index)
  await swarm.wait(500)
  a.results.setOwn(5, resultOf(5, 1)) // it is another one now, but what was attested stays
  swarm.connect(a, late)
  await swarm.wait(500)
  t.deepEqual([early.batches, late.batches], [1, 0])
  t.deepEqual(indicesOf(late.attestations), upTo(5))
  t.ok(late.attestations.every(({ branch }) => branch !== undefined))
  t.end()
})

test('a wrong signature of a batch is one violation, and nothing of it is believed', async t => {
  const swarm = new SignedSwarm(100)
  const [a, liar, honest] = [new Attester(swarm, 1), new Actor(swarm, 2), new Actor(swarm, 3)]
  for (const actor of [liar, honest]) swarm.connect(a, actor)
  await swarm.wait(200)
  const results = upTo(16).map(index => result(index))
  say(liar, [batchOf(swarm, liar, results, false)], results)
  await swarm.wait(200)
  t.equal(a.violations.length, 1)
  t.deepEqual(upTo(16).flatMap(index => a.attesters(index)), [])
  say(honest, [batchOf(swarm, honest, results.toReversed())], results.toReversed())
  await swarm.wait(200)
  t.ok(upTo(16).every(index => a.attesters(index).includes(honest.signer.key)))
  say(liar, [batchOf(swarm, honest, results.slice(0, 3))], results.slice(0, 3))
  await swarm.wait(200)
  t.equal(a.violations.length, 2, 'that of another key')
  t.end()
})

test('two results of a piece exclude a key, however it has signed them', async t => {
  const swarm = new SignedSwarm(100)
  const second = [result(3, 1), result(50)]
  for (const [id, tellsSecond] of [
    [10, (actor: Actor) => { say(actor, [batchOf(swarm, actor, second)], second) }],
    [11, (actor: Actor) => { actor.ext.attest([attestation(actor.signer, 3, resultOf(3, 1))]) }]
  ] as const) {
    const [a, actor] = [new Attester(swarm, 1), new Actor(swarm, id)]
    swarm.connect(a, actor)
    await swarm.wait(200)
    const first = [result(3), result(4)]
    say(actor, [batchOf(swarm, actor, first)], first)
    await swarm.wait(200)
    tellsSecond(actor)
    await swarm.wait(500)
    t.deepEqual(a.excluded, [actor.signer.key])
  }
  t.end()
})

test('any batch: nothing throws, and only what is signed is known', async t => {
  const seed = randomInt(2 ** 31)
  t.comment(`seed ${seed}`)
  const one = fc.record({ index: fc.nat(105), wrong: fc.nat(1) })
  await fc.assert(fc.asyncProperty(
    fc.array(one, { maxLength: 40 }),
    fc.array(fc.record({ count: fc.nat(20), isRight: fc.boolean() }), { maxLength: 4 }),
    async (said, counts) => {
      const swarm = new SignedSwarm(100)
      const [a, actor] = [new Attester(swarm, 1), new Actor(swarm, 2)]
      swarm.connect(a, actor)
      await swarm.wait(100)
      const results = said.map(({ index, wrong }) => result(index, wrong))
      let [at, bytes] = [0, Buffer.alloc(0)]
      const right = new Set<number>()
      for (const { count, isRight } of counts) {
        const some = results.slice(at, at + count)
        at += count
        const fits = some.length >= 2 && some.length <= 16
        const { signature } = fits ? batchOf(swarm, actor, some, isRight) : { signature: new Uint8Array(64) }
        if (isRight) for (const { index } of some) right.add(index)
        bytes = Buffer.concat([bytes, Uint8Array.of(count), signature])
      }
      actor.wires[0]!.extended('ut_bitworker', encode({ batches: bytes, results: packRecords('results', results) }))
      await swarm.wait(200)
      const isKnown = (index: number): boolean => a.attesters(index).length > 0
      const known = upTo(100).filter(isKnown)
      return known.every(index => right.has(index)) && a.violations.length <= 1 + counts.length
    }
  ), { seed, numRuns: 60 })
  t.end()
})

test('a flood of batches: few signatures are checked, and an honest neighbour goes on', async t => {
  const swarm = new SignedSwarm(1000)
  const a = new Attester(swarm, 1)
  const [honest, ...flooders] = [2, 3, 4, 5, 6].map(id => new Actor(swarm, id))
  for (const actor of [honest!, ...flooders]) swarm.connect(a, actor)
  await swarm.wait(200)
  const before = a.checks
  for (let i = 0; i < 50; i++) {
    for (const actor of flooders) {
      const results = upTo(800).map(index => result(index))
      const batches = upTo(400).map(at => batchOf(swarm, actor, results.slice(2 * at, 2 * at + 2), i === 0))
      say(actor, i === 0 ? batches.slice(0, 40) : batches, results)
    }
    await swarm.wait(10)
  }
  t.ok(a.checks - before <= 4 * 640, `${a.checks - before} signatures checked`)
  honest!.ext.attest([attestation(honest!.signer, 999)])
  await swarm.wait(500)
  t.deepEqual(a.attesters(999), [honest!.signer.key], 'it need not wait for what the others have sent')
  t.end()
})

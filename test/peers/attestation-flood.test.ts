// Floods of attestations: bounds hold, nothing throws, and the neighbour of an attacker goes on.
import fc from 'fast-check'
import test from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { packAttestation } from '../../extensions/ut_bitworker/index.ts'
import { encode } from '../../lib/base/bencode.ts'
import { STRANGERS, SignatureQueue } from '../../lib/peers/signature-queue.ts'
import { certifyMember } from '../../lib/trust/member.ts'
import { Actor, Attester, SignedSwarm, attestation, keyOf, resultOf } from '../helpers/attesters.ts'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

test('10 000 attestations in a tenth of a second: few are checked, and an honest neighbour goes on', async t => {
  const swarm = new SignedSwarm(1000)
  const a = new Attester(swarm, 1)
  const [honest, ...flooders] = [2, 3, 4, 5, 6].map(id => new Actor(swarm, id))
  for (const actor of [honest!, ...flooders]) swarm.connect(a, actor)
  await swarm.wait(200)
  // 250 right ones, of the same key, over and over, past the sender's own limits
  const records = upTo(250).map(index => packAttestation(attestation(keyOf('flood'), index)))
  const message = encode({ attestations: Buffer.concat(records) })
  for (let i = 0; i < 10; i++) {
    for (const { wires } of flooders) wires[0]!.extended('ut_bitworker', message)
    await swarm.wait(10)
  }
  const before = a.checks
  t.ok(before <= 4 * 640, `${before} signatures checked at once`)
  honest!.ext.attest([attestation(honest!.signer, 999)])
  await swarm.wait(200)
  t.deepEqual(a.attesters(999), [honest!.signer.key], 'it need not wait for what the others have sent')
  await swarm.wait(2000)
  t.equal(upTo(250).filter(index => a.attesters(index).length === 1).length, 250)
  t.deepEqual(a.violations, [], 'they are only ignored')
  t.ok(a.checks < 2000, `${a.checks} signatures checked in all`)
  t.end()
})

test('keys without number: what is kept stays bounded', async t => {
  const swarm = new SignedSwarm(20)
  const a = new Attester(swarm, 1)
  const [attacker, listener] = [new Actor(swarm, 2), new Actor(swarm, 3)]
  for (const actor of [attacker, listener]) swarm.connect(a, actor)
  await swarm.wait(200)
  const keys = upTo(1500).map(i => keyOf(`sybil ${i}`))
  for (const [i, key] of keys.entries()) {
    attacker.ext.attest([attestation(key, i % 20, resultOf(i % 20, i % 5))])
    if (i % 100 === 99) await swarm.wait(1000)
  }
  await swarm.wait(2000)
  for (const index of upTo(20)) {
    const { length } = a.verification.statementsOf(index)
    if (length > 6) t.fail(`${length} statements of piece ${index}`)
  }
  t.ok(listener.attestations.length <= 20 * 5, `${listener.attestations.length} passed on`)
  listener.ext.ask(upTo(20))
  await swarm.wait(2000)
  t.ok(listener.attestations.length <= 20 * 9)
  t.equal(a.violations.length, 0)
  t.end()
})

test('certificates without number', async t => {
  const swarm = new SignedSwarm()
  const lab = keyOf('lab')
  const a = new Attester(swarm, 1, { trusts: [lab] })
  const actor = new Actor(swarm, 2)
  swarm.connect(a, actor)
  await swarm.wait(200)
  const right = certifyMember(swarm.task.digest, keyOf('member').key, lab)
  for (let i = 0; i < 100; i++) actor.ext.certify([{ ...right, certificate: new Uint8Array(64), trustedKey: keyOf('x').key }])
  await swarm.wait(500)
  t.equal(a.checks, 0, 'by keys that are not trusted')
  actor.ext.certify([right])
  await swarm.wait(500)
  t.equal(a.checks, 0, 'and what comes after 64 of them is not looked at')
  t.end()
})

test('a peer that asks for everything again and again is answered within the limits', async t => {
  const swarm = new SignedSwarm(1000)
  const a = new Attester(swarm, 1)
  for (const index of upTo(1000)) a.compute(index)
  const actor = new Actor(swarm, 2)
  swarm.connect(a, actor)
  for (let i = 0; i < 50; i++) {
    actor.ext.ask(upTo(1000))
    await swarm.wait(100)
  }
  t.ok(actor.attestations.length <= 512 + 6 * 128, `${actor.attestations.length} in 5 seconds`)
  t.end()
})

test('who announces everything and answers nothing delays nobody for long', async t => {
  const swarm = new SignedSwarm(5000)
  const a = new Attester(swarm, 1)
  const mute = new Actor(swarm, 2)
  swarm.connect(a, mute)
  await swarm.wait(200)
  mute.ext.announce(upTo(5000).map(index => Object.assign(resultOf(index), { index })))
  await swarm.wait(1000)
  t.ok(upTo(5000).filter(index => a.exchange.isAwaited(index)).length <= 128 + 1024)
  await swarm.wait(11_000)
  for (let i = 0; i < 5; i++) {
    const { length } = upTo(5000).filter(index => a.exchange.isAwaited(index))
    if (length > 1) t.fail(`${length} pieces are awaited`)
    await swarm.wait(10_000)
  }
  t.ok(mute.asks.length <= 140, `${mute.asks.length} questions`)
  mute.ext.attest([attestation(mute.signer, 4999)])
  await swarm.wait(5000)
  t.ok(mute.asks.length > 250, 'who answers is asked again')
  t.end()
})

test('the queue: jobs of an owner in order, owners by turns, never more than fit', async t => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 900 }), fc.nat(300)), { minLength: 1, maxLength: 12 }),
    async bursts => {
      const clock = new VirtualClock()
      const queue = new SignatureQueue(clock, STRANGERS)
      const owners = [{}, {}, {}, {}]
      const ran: number[][] = owners.map(() => [])
      let [added, dropped, serial] = [0, 0, 0]
      let isRight = true
      for (const [owner, count, ms] of bursts) {
        for (let i = 0; i < count; i++) {
          const id = serial++
          added++
          queue.add(owners[owner]!, { run: () => { ran[owner]!.push(id) }, drop: () => { dropped++ } })
          isRight &&= queue.size <= 2000
        }
        const before = ran.flat().length
        let isOver = false
        clock.post(ms, () => { isOver = true })
        await clock.run(() => isOver, Infinity)
        isRight &&= ran.flat().length - before <= 50 + ms / 2 + 1
      }
      await clock.run(() => queue.size === 0, Infinity)
      return isRight && ran.flat().length + dropped === added &&
        ran.every(ids => ids.every((id, i) => i === 0 || id > ids[i - 1]!))
    }
  ), { numRuns: 50 })
  const clock = new VirtualClock()
  const queue = new SignatureQueue(clock, STRANGERS)
  let dropped = 0
  for (let i = 0; i < 100; i++) queue.add(t, { run: () => {}, drop: () => { dropped++ } })
  queue.remove(t)
  t.deepEqual([dropped, queue.size], [50, 0], 'who leaves takes the rest along')
  t.end()
})

test('any bytes from a peer that signs: nothing throws, and it can be heard after that', async t => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.record({
      attestations: fc.uint8Array({ minLength: 173, maxLength: 173 }),
      members: fc.uint8Array({ minLength: 128, maxLength: 128 }),
      proof: fc.uint8Array({ minLength: 64, maxLength: 64 }),
      asks: fc.uint8Array({ minLength: 4, maxLength: 8 })
    }, { requiredKeys: [] }), { maxLength: 6 }), async messages => {
      const swarm = new SignedSwarm(3)
      const [a, honest, actor] = [new Attester(swarm, 1), new Attester(swarm, 2), new Actor(swarm, 3)]
      swarm.connect(a, actor)
      swarm.connect(a, honest)
      await swarm.wait(100)
      for (const message of messages) {
        // indices within the task, so that more than the first check is reached
        for (const bytes of [message.attestations, message.asks]) bytes?.fill(0, 0, 4)
        actor.wires[0]!.extended('ut_bitworker', encode(message))
      }
      honest.compute(1)
      await swarm.wait(15_000)
      return a.attesters(1).join() === honest.signer.key && a.attesters(0).length === 0
    }
  ), { numRuns: 60 })
  t.end()
})

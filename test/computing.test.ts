// What is claimed and started when, on a virtual clock; nothing runs.
import test from 'tape'
import type { Test } from 'tape'
import { VirtualClock } from '../bench/simulator/clock.ts'
import { Computing } from '../lib/computing.ts'
import { Scheduler } from '../lib/scheduler.ts'

interface Played { clock: VirtualClock, computing: Computing, log: string[], until: (ms: number) => Promise<void> }

/** Computes pieces of `workMs`; the log tells what is claimed, started and released, and when. */
function play (t: Test, { pieceCount, slots, workMs }: { pieceCount: number, slots: number, workMs: number }): Played {
  const clock = new VirtualClock()
  const log: string[] = []
  const note = (text: string): void => { log.push(`${clock.now()}: ${text}`) }
  const scheduler = new Scheduler({ pieceCount, peerId: '00'.repeat(20), random: () => 0, now: clock.now })
  const computing = new Computing(scheduler, {
    generate: piece => {
      const result = { size: 1, digest: Buffer.alloc(32), ms: workMs }
      const done = new Promise<typeof result>(resolve => {
        clock.after(workMs, () => {
          clock.settled()
          scheduler.setMissing(piece, false)
          resolve(result)
        })
      })
      return { piece, done, ended: done.then(() => {}), kill () {}, pause () {}, resume () {} }
    },
    started: () => { note('starts') },
    claim: claims => { note(`claims ${claims.length}`) },
    release: indices => { note(`releases ${indices.length}`) },
    computed: () => {},
    failed: (_index, err) => { t.fail(err.message) },
    aborted: () => {},
    idle: () => {}
  }, { slots, clock })
  t.teardown(() => { void computing.stop() })
  return { clock, computing, log, until: async ms => clock.run(() => clock.now() >= ms, ms) }
}

test('the next piece is claimed a moment before its slot is free, once it is known when that is', async t => {
  const { computing, log, until } = play(t, { pieceCount: 4, slots: 1, workMs: 1_000 })
  computing.run()
  await until(3_500)
  t.same(log, ['0: claims 1', '0: starts', '1000: claims 1', '1000: starts', '1800: claims 1', '2000: starts', '2800: claims 1', '3000: starts'])
})

test('another one is claimed when somebody else has the better claim', async t => {
  const { computing, log, until } = play(t, { pieceCount: 4, slots: 1, workMs: 1_000 })
  computing.run()
  await until(1_850)
  const [, ahead] = computing.claims({ isBackup: false })
  t.equal(ahead?.elapsedMs, 0)
  log.length = 0
  computing.abort(ahead!.index, 'another peer computes it')
  await until(2_500)
  t.same(log, ['1800: releases 1', '1800: claims 1', '2000: starts'])
})

test('as many are claimed as slots will be free', async t => {
  const { computing, log, until } = play(t, { pieceCount: 9, slots: 2, workMs: 500 })
  computing.run()
  await until(960)
  t.equal(log.at(-1), '800: claims 2')
  t.equal(computing.claims({ isBackup: false }).length, 4)
})

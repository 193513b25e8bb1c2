// Whom nothing is expected of any more, where a verify command runs.
import test from 'tape'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import { Vetting } from '../../lib/session/vetting.ts'
import type { VettingParts } from '../../lib/session/vetting.ts'
import { createTask } from '../../lib/task/task.ts'

const TASK = createTask({ name: 'x', command: 'true', verifyCommand: 'true', parts: 20 })

test('whether a peer is listened to is asked again whenever that changes', async t => {
  const scheduler = new Scheduler({ pieceCount: 20, peerId: 'a'.repeat(40), random: () => 0, now: () => 0 })
  const reconsidered: boolean[] = []
  let isRight = false
  const parts = {
    scheduler,
    results: {},
    clock: { now: () => 0, after: () => () => {} },
    neighbours: {
      * [Symbol.iterator] () {},
      reconsiderAll: (peer: TaskPeer) => { reconsidered.push(vetting.verifier.listensTo(peer)) }
    },
    store: {
      verifyBy: () => ({
        done: Promise.resolve(isRight ? { verdict: 'right', ms: 1 } : { verdict: 'wrong' }), kill () {}, pause () {}, resume () {}
      })
    }
  } as unknown as VettingParts
  const vetting = new Vetting(TASK, parts, { report () {}, warn () {} }, {
    unjudged: () => false, paceMs: () => 0, stored () {}, withdraw () {}, need () {}, changed () {}
  })
  const sender = { holder: { expected: [], lapsed () {} } } as unknown as TaskPeer
  vetting.verifier.start(1, false)
  const other = { holder: sender.holder } as unknown as TaskPeer
  const send = async (index: number, ...sources: TaskPeer[]): Promise<void> => {
    await vetting.downloaded(index, { size: 1, digest: new Uint8Array(32) }, {} as never, sources)
  }
  await send(0, sender)
  await send(1, sender)
  t.same(reconsidered, [], 'two useless pieces')
  await send(2, sender)
  t.same(reconsidered, [false], 'three')
  isRight = true
  for (const index of [3, 4, 5]) await send(index, sender, other)
  t.same(reconsidered, [false, true], 'as many useful ones, which another peer sent, too')
})

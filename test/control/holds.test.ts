import test from 'tape'
import { Holds } from '../../lib/control/holds.ts'

test('what holds work items', t => {
  const seen: Array<string | null> = []
  const holds: Holds = new Holds(() => { seen.push(holds.effect) })
  holds.set('user', [{ reason: 'on request', running: 'suspend' }])
  holds.set('user', [{ reason: 'on request', running: 'suspend' }])
  holds.set('machine', [{ reason: 'load 3 > 2', running: 'finish' }])
  t.deepEqual(holds.reasons, ['on request', 'load 3 > 2'])
  holds.set('user', [])
  holds.set('machine', [])
  t.deepEqual(seen, ['suspend', 'suspend', 'finish', null], 'told once of each change; suspending goes before')
  t.end()
})

test('finishing goes before all but a stop of the client', t => {
  const holds = new Holds(() => {})
  holds.set('machine', [{ reason: 'on battery', running: 'suspend' }])
  holds.finishing = true
  t.equal(holds.effect, 'finish')
  holds.stopped = true
  t.equal(holds.effect, 'suspend')
  holds.stopped = false
  t.equal(holds.effect, 'finish')
  holds.finishing = false
  t.deepEqual([holds.effect, holds.reasons], ['suspend', ['on battery']])
  t.end()
})

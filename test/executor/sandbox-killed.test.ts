// Nothing in a sandbox outlives a client that is killed, at whatever moment.
import process from 'node:process'
import test from 'tape'
import { membersOf } from '../../lib/executor/process/sessions.ts'
import { isRunning } from '../../lib/system/process-table.ts'
import { USERS, startConfined } from '../helpers/confined.ts'
import type { Confined } from '../helpers/confined.ts'
import { until } from '../helpers/disk.ts'
import { startLandlock } from '../helpers/escapes.ts'

for (const { name: user, uid } of USERS) {
  for (const kind of ['bwrap', 'landlock', 'none']) test(`as ${user}: kill -9 of the client at any moment, in ${kind}`, async t => {
    if (kind === 'landlock' && await startLandlock(t, uid) === null) return
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    t.comment(`SEED=${seed}`)
    let state = seed
    const random = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31
    // without a sandbox, what makes a session of its own gets away
    const left = kind === 'none' ? '' : 'setsid sleep 1000 & '
    const clients: Confined[] = []
    for (let round = 0; round < 12; round++) {
      const client: Confined = await startConfined(t, uid, kind === 'bwrap' ? 'auto' : kind)
      const nested = kind === 'bwrap' && round % 2 === 1
      const begun = client
        .begin({ command: `${left}timeout 1000 sleep 1000 & trap "" TERM; sleep 1000`, nested })
        .catch(() => 0)
      const pid = nested || round % 3 > 0 ? await begun : 0
      const inside = nested ? membersOf(new Set([pid])).get(pid)!.map(member => member.pid) : []
      if (nested) t.ok(inside.length >= 3, `a nest, round ${round}: ${inside.length} processes`)
      await new Promise(resolve => { setTimeout(resolve, random() * 30) })
      client.child.kill('SIGKILL')
      await until(`nothing is left, round ${round}`, () => client.survivors().length === 0 && !inside.some(isRunning))
      await client.end()
      clients.push(client)
    }
    t.deepEqual(clients.flatMap(client => client.survivors()), [], 'nothing is left, nor has come since')
  })
}

// Links spread from peer to peer: who got the metadata a moment ago passes it on, without being asked anew.
import { once } from 'node:events'
import test from 'tape'
import { createTask, magnetOf } from '../../lib/index.ts'
import { within } from '../helpers/disk.ts'
import { allDone, connect, createPeer, digestOf } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const task = createTask({
  name: 'n.txt', command: 'echo $PIECE_IDX', parts: 12, pieceLength: 64, comment: 'x'.repeat(100)
})
const LONG = createTask({
  name: 'n.txt', command: `echo $PIECE_IDX # ${'x'.repeat(40_000)}`, parts: 3, pieceLength: 64
})
/** nobody is told of anybody */
const client = { utPex: false }

for (const [name, each] of [['one piece of metadata', task], ['three pieces of metadata', LONG]] as const) {
  test(`a chain of links, without trackers, DHT and peer exchange: ${name}`, async t => {
    const id = magnetOf(each)
    const links: Peer[] = []
    for (let i = 0; i < 3; i++) links.push(await createPeer(t, each, { client, id }))
    // the far end first: all have introduced themselves before anybody has the metadata
    for (let i = 2; i > 0; i--) {
      await connect(links[i - 1]!, links[i]!)
      for (const { torrent } of [links[i]!, links[i - 1]!]) {
        while (torrent.wires.length === 0) await within(once(torrent, 'wire'), 'a connection')
      }
    }
    const file = await createPeer(t, each, { client, compute: true })
    await connect(links[0]!, file)
    const all = [...links, file]
    await allDone(all)
    t.equal(new Set(await Promise.all(all.map(peer => digestOf(peer, 'n.txt')))).size, 1)
    t.same(all.map(({ torrent }) => torrent.wires.length), [2, 2, 1, 1], 'still a chain')
  })
}

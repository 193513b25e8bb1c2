/** When computing may begin: once the sources of peers have answered, whenever that was. */
import { EventEmitter } from 'node:events'
import test from 'tape'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { settled, Sources } from '../../lib/discovery/settling.ts'

function torrentWith (discovery: {
  tracker: unknown
  dht: unknown
}): EventEmitter & { announce: string[], discovery: typeof discovery } {
  return Object.assign(new EventEmitter(), { announce: ['http://127.0.0.1:1'], discovery })
}

/** Whether it resolves before the next timers have run. */
async function isSettledNow (sources: Sources, torrent: EventEmitter, isConnecting = false): Promise<boolean> {
  const later = new Promise<boolean>(resolve => { setImmediate(() => { resolve(false) }) })
  const isSettled = await Promise.race([
    settled(sources, torrent, () => ({ isConnecting, hasMet: false })).then(() => true), later
  ])
  torrent.emit('close')
  return isSettled
}

test('no source, nothing to wait for', async t => {
  const torrent = torrentWith({ tracker: null, dht: null })
  t.ok(await isSettledNow(new Sources(torrent, false), torrent))
})

test('every source is waited for', async t => {
  const torrent = torrentWith({ tracker: {}, dht: {} })
  const sources = new Sources(torrent, false)
  t.notOk(await isSettledNow(sources, torrent), 'neither has answered')
  torrent.emit('trackerAnnounce')
  t.notOk(await isSettledNow(sources, torrent), 'one has')
  torrent.emit('dhtAnnounce')
  t.ok(await isSettledNow(sources, torrent), 'both have, before anybody asked')
  t.notOk(await isSettledNow(sources, torrent, true), 'a peer is still being connected to')
})

test('a tracker that cannot be reached has answered', async t => {
  const torrent = torrentWith({ tracker: {}, dht: null })
  const sources = new Sources(torrent, false)
  torrent.emit('warning', new Error('connect ECONNREFUSED'))
  t.ok(await isSettledNow(sources, torrent))
})

test('an answer ends the wait; so does the end of the torrent', async t => {
  const torrent = torrentWith({ tracker: {}, dht: null })
  const sources = new Sources(torrent, false)
  const [first, second] = [false, true].map(async isConnecting =>
    settled(sources, torrent, () => ({ isConnecting, hasMet: false }))
  )
  torrent.emit('trackerAnnounce')
  await first
  torrent.emit('close')
  await second
  t.equal(torrent.listenerCount('close'), 0, 'nothing is left behind')
})

test('connections that fail to open are given up, soon if another peer has announced its pieces', async t => {
  const torrent = torrentWith({ tracker: null, dht: null })
  for (const [hasMet, ms] of [[false, 3_010], [true, 310]] as const) {
    const clock = new VirtualClock()
    let isOver = false
    const end = settled(new Sources(torrent, false), torrent, () => ({ isConnecting: true, hasMet }), clock).then(
      () => {
        isOver = true
      }
    )
    clock.settled()
    await clock.run(() => isOver, 10_000)
    await end
    t.equal(clock.now(), ms)
  }
})

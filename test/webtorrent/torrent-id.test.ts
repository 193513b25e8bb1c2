// What a link or a parsed link may not do to the torrent that is made of it.
import test from 'tape'
import { createTask } from '../../lib/index.ts'
import { harmlessId } from '../../lib/webtorrent/torrent-id.ts'
import { createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo $PIECE_IDX', parts: 2, pieceLength: 64 })
const HASH = `xt=urn:btih:${task.infoHash}`

test('only parameters that a magnet link has reach the torrent', t => {
  for (const [link, kept] of [
    [
      `magnet:?${HASH}&dn=a&tr=b&ws=c&x.pe=d:1&so=0&x.pk=e&x.sig=f`,
      `magnet:?${HASH}&dn=a&tr=b&ws=c&x.pe=d:1&so=0&x.pk=e&x.sig=f`
    ],
    [`magnet:?${HASH}&_computeOptions=x&on=x&task=x&info=x&__proto__=x`, `magnet:?${HASH}`],
    [`stream-magnet:?_computeOptions=x&${HASH}`, `stream-magnet:?${HASH}`],
    [`magnet:?${HASH}magnet:?_computeOptions=x`, `magnet:?${HASH}`],
    [
      `magnet:?${HASH}&x.pe=%5B%3a%3A1%5D%3A6881&x.pe=a%26:1&dn=%3A`,
      `magnet:?${HASH}&x.pe=[::1]:6881&x.pe=a%26:1&dn=%3A`
    ],
    [task.infoHash, task.infoHash]
  ] as const)
    t.equal(harmlessId(link), kept, link)
  t.same(
    harmlessId({ infoHash: task.infoHash, _computeOptions: {}, task }), { infoHash: task.infoHash }, 'a parsed one'
  )
  const bytes = new Uint8Array(20)
  t.equal(harmlessId(bytes), bytes, 'everything else is left alone')
  t.end()
})

test('neither a link nor a parsed one can make a torrent compute', async t => {
  const seeder = await createPeer(t, task)
  await ready(seeder)
  const peer = `127.0.0.1:${seeder.client.torrentPort}`
  const parsed = { infoHash: task.infoHash, peerAddresses: [peer], announce: [], urlList: [], _computeOptions: {} }
  for (const id of [`magnet:?${HASH}&_computeOptions=x&startComputing=x&emit=x&info=x&x.pe=${peer}`, parsed]) {
    const { torrent } = await createPeer(t, task, { id })
    await new Promise<void>(resolve => { torrent.once('ready', () => setImmediate(resolve)) })
    t.equal(torrent.computing, 'off')
    t.equal(typeof torrent.startComputing, 'function')
  }
})

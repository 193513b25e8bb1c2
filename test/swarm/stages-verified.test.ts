// Who verifies the results of a task verifies those of the tasks whose outputs it reads.
import path from 'node:path'
import test from 'tape'
import { createSigningKey } from '../../lib/config/trust-files.ts'
import { createTaskFrom } from '../../lib/index.ts'
import type { Torrent } from '../../lib/webtorrent/public-types.ts'
import { createFolder } from '../helpers/disk.ts'
import { createClient, eventOf } from '../helpers/swarm.ts'

test('an earlier task has the policy of the task that reads it', async t => {
  const registry = createFolder(t)
  const first = await createTaskFrom({ name: 'first', command: 'echo good', parts: 2, pieceLength: 100, registry })
  const last = await createTaskFrom({
    name: 'last', command: 'cat in', parts: 1, registry, inputs: [{ outputOf: first, name: 'in' }]
  })
  const client = createClient(t)
  const inputs = { folder: createFolder(t), registry }
  const torrent = client.add(last, { path: createFolder(t), inputs, verify: { quorum: 2 } })
  await eventOf(torrent, 'ready')
  const [stage] = await torrent.stages() as [Torrent]
  if (!stage.ready) await eventOf(stage, 'ready')
  t.equal(stage.verification?.policy, 'quorum=2')
})

test('where only members are served, that holds for an earlier task', async t => {
  const registry = createFolder(t)
  const first = await createTaskFrom({ name: 'first', command: 'echo good', parts: 2, pieceLength: 100, registry })
  const last = await createTaskFrom({
    name: 'last', command: 'cat in', parts: 1, registry, inputs: [{ outputOf: first, name: 'in' }]
  })
  const [client, strange] = [createClient(t), createClient(t)]
  const { file: member } = await createSigningKey(path.join(createFolder(t), 'lab.key'), { force: false })
  const stranger = strange.add(first, { path: createFolder(t), verify: 'audit' })
  await eventOf(stranger, 'ready')
  const inputs = { folder: createFolder(t), registry }
  const torrent = client.add(last, { path: createFolder(t), inputs, member, membersOnly: true })
  await eventOf(torrent, 'ready')
  const [stage] = await torrent.stages() as [Torrent]
  const refused = eventOf(stage, 'refused')
  stage.addPeer(`127.0.0.1:${strange.torrentPort}`)
  const [{ reason }] = await refused as [{ reason: string }]
  t.match(reason, /that it is a member/, 'a stranger is refused')
})

test('without computing, the policy all is refused: nothing would be judged', async t => {
  const client = createClient(t)
  const task = await createTaskFrom({ name: 'x', command: 'echo', verifyCommand: 'true', parts: 2, pieceLength: 100 })
  const torrent = client.add(task, { path: createFolder(t), verify: 'all' })
  const err = await new Promise<Error & { code?: string }>(resolve => { torrent.on('error', resolve) })
  t.equal(err.code, 'BW_ERR_VERIFY_OPTIONS')
})

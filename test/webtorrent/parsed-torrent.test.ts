import test from 'tape'
import { encodeUnsorted } from '../../fixtures/make.ts'
import { encode } from '../../lib/base/bencode.ts'
import { sha1Hex } from '../../lib/base/digest.ts'
import { createTask, encodeTask } from '../../lib/task/task.ts'
import { fromMetadata } from '../../lib/webtorrent/parsed-torrent.ts'

/** What `fromMetadata` throws, for a link with this info-hash. */
function codeOf (metadata: Uint8Array, infoHash: string): unknown {
  try {
    fromMetadata(metadata, { infoHash, announce: [] })
  } catch (err) {
    return (err as { code?: string }).code
  }
  return null
}

test('metadata from a peer', t => {
  const task = createTask({ name: 'x', command: 'true', parts: 1 })
  const { infoHash } = task
  t.equal(fromMetadata(encodeTask(task), { infoHash, announce: [] })?.infoHash, infoHash)
  t.equal(
    codeOf(
      encodeTask(task), infoHash.replace(/^./, c => (c === '0' ? '1' : '0'))
    ),
    'BW_ERR_TASK_INFO_HASH',
    'of another task'
  )
  t.equal(
    codeOf(encodeTask(createTask({ name: 'y', command: 'true', parts: 1 })), infoHash),
    'BW_ERR_TASK_INFO_HASH',
    'changed'
  )
  const unsorted = encodeUnsorted([
    ['name', 'x'], ['bitworker', { command: 'true', version: 1 }], ['length', 4], ['piece length', 4]
  ])
  const file = Buffer.concat([Buffer.from('d4:info'), unsorted, Buffer.from('e')])
  t.equal(codeOf(file, sha1Hex(unsorted)), 'BW_ERR_TASK_NOT_BENCODE', 'not canonical')
  t.equal(
    fromMetadata(encode({ info: { name: 'x', pieces: '' } }), { infoHash, announce: [] }),
    null,
    'of an ordinary torrent: none of ours'
  )
  t.end()
})

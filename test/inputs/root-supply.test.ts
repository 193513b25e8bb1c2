// A root whose archive is touched while it is unpacked is unpacked once the archive is what it was.
import { existsSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { RootSupply } from '../../lib/inputs/roots/root-supply.ts'
import type { InputTorrent, InputTorrentEvents, InputTorrents } from '../../lib/inputs/supply-types.ts'
import type { TorrentInput } from '../../lib/task/types.ts'
import { createFolder } from '../helpers/disk.ts'
import { tarOf } from '../helpers/tars.ts'

type Session = ConstructorParameters<typeof RootSupply>[0]

test('an archive that changes while it is unpacked', async t => {
  const archive = await tarOf([{ name: 'f', data: 'x' }])
  let isSure = true
  let reads = 0
  const view = {
    layout: { length: archive.length },
    have: () => archive.length,
    missing: () => isSure ? 0 : 1,
    want () {},
    async read ({ start, end }: { start: number, end: number }) {
      if (reads++ > 0) return archive.subarray(start, end)
      // all of it is looked at again
      isSure = false
      setTimeout(() => {
        isSure = true
        events.opened(view)
      }, 10)
      throw new BitWorkerError('BW_ERR_INPUT', 'system', 'It was changed while it was read.')
    }
  } as unknown as InputTorrent
  let events!: InputTorrentEvents
  const torrents = {
    open (_input: TorrentInput, _count: number, given: InputTorrentEvents) {
      events = given
      setImmediate(() => { given.opened(view) })
      return { close () {} }
    }
  } as unknown as InputTorrents
  const shown: string[] = []
  const session = {
    task: { pieceCount: 1 },
    stats: () => ({ missing: 1 }),
    onPlanned () {},
    work: { watchInputs () {} },
    reportInput () {},
    store: { configure: ({ root }: { root: string }) => { shown.push(root) } }
  } as unknown as Session
  const input = { name: 'system', length: archive.length, infoHash: 'ab'.repeat(20) } as TorrentInput
  const supply = new RootSupply(session, input, torrents, { folder: createFolder(t), maxRootBytes: undefined })
  t.teardown(() => { supply.close() })
  t.equal(await supply.ready, true)
  t.equal(supply.state.state, 'ready')
  t.ok(existsSync(path.join(shown[0]!, 'f')))
})

// What is not here any more when a command is to be given it: it waits, and is looked at again.
import { rmSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { InputCache } from '../../lib/inputs/cache.ts'
import { ItemInputs } from '../../lib/inputs/item-inputs.ts'
import { KeptPieces } from '../../lib/inputs/kept-pieces.ts'
import type { InputLayout } from '../../lib/inputs/metainfo.ts'
import type { InputTorrent } from '../../lib/inputs/supply-types.ts'
import type { TorrentInput } from '../../lib/task/types.ts'
import { createFolder, rejection } from '../helpers/disk.ts'

const LAYOUT: InputLayout = {
  pieceLength: 8,
  torrentLength: 16,
  length: 16,
  isFolder: false,
  links: [],
  files: [{ path: '', length: 16, offset: 0, executable: false }]
}
const SPLIT: TorrentInput = {
  name: 'log', length: 16, infoHash: 'a'.repeat(40), sha256: new Uint8Array(32), split: { by: 'bytes', size: 8 }
}

/** A torrent whose first piece is here. */
function torrentOf (more: Partial<InputTorrent>): InputTorrent {
  return {
    layout: LAYOUT,
    root: '/none',
    version: 0,
    have: () => 8,
    missing: () => 1,
    has: piece => piece === 0,
    isElsewhere: () => false,
    isOffered: () => true,
    want () {},
    read: async ({ start, end }) => Buffer.from('0123456789abcdef').subarray(start, end),
    isIntact: async () => true,
    recheck () {},
    ...more
  }
}

test('a piece whose slice is no longer stored waits', async t => {
  const folder = createFolder(t)
  const lost: Array<number | null> = []
  let count = 0
  const items = new ItemInputs(
    [{ input: SPLIT, torrent: torrentOf({}), error: null }],
    { newPath: () => path.join(folder, String(count++)) },
    piece => { lost.push(piece) }
  )
  t.ok(await (await items.forPiece(0)).isIntact())
  t.deepEqual(lost, [])
  t.equal((await rejection(items.forPiece(1))).code, 'BW_ERR_INPUT')
  t.deepEqual(lost, [1], 'so that it is not started again at once')
})

test('a slice of changed data is not used', async t => {
  const folder = createFolder(t)
  let [isIntact, rechecks, count] = [true, 0, 0]
  const torrent = torrentOf({ isIntact: async () => isIntact, recheck: () => { rechecks++ } })
  const store = { newPath: () => path.join(folder, String(count++)) }
  const items = new ItemInputs([{ input: SPLIT, torrent, error: null }], store)
  const given = await items.forPiece(0)
  isIntact = false
  t.notOk(await given.isIntact(), 'changed while the command ran')
  t.equal((await rejection(items.forPiece(0))).code, 'BW_ERR_INPUT', 'changed before')
  t.equal(rechecks, 2)
})

test('an embedded input is written again when it is gone', async t => {
  const folder = createFolder(t)
  let count = 0
  const store = { newPath: () => path.join(folder, String(count++)) }
  const input = { name: 'run.sh', length: 1, data: new Uint8Array([1]) }
  const items = new ItemInputs([{ input, torrent: null, error: null }], store)
  const [file] = (await items.whole()).files
  rmSync(path.dirname(file!.path), { recursive: true })
  t.equal((await rejection(items.whole())).code, 'BW_ERR_INPUT')
  t.equal((await items.whole()).files.length, 1)
})

test('a cache that is removed while it is used', t => {
  const folder = createFolder(t)
  const entry = new InputCache({ folder }).open(SPLIT.infoHash)
  const kept = new KeptPieces(entry, LAYOUT, () => true)
  rmSync(folder, { recursive: true })
  t.notOk(kept.check())
  kept.doubt()
  kept.close()
  entry.close()
  t.end()
})

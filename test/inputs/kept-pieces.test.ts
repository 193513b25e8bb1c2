// What is written down of the stored pieces: it costs what has changed, not what there is.
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { InputCache } from '../../lib/inputs/cache.ts'
import { KeptPieces } from '../../lib/inputs/kept-pieces.ts'
import type { InputLayout } from '../../lib/inputs/metainfo.ts'
import { createFolder } from '../helpers/disk.ts'

const PIECES = 300_000

/** A large file, and one in the last torrent piece. */
const LAYOUT: InputLayout = {
  pieceLength: 16,
  torrentLength: PIECES * 16,
  length: PIECES * 16,
  isFolder: true,
  links: [],
  files: [
    { path: 'large', length: PIECES * 16 - 8, offset: 0, executable: false },
    { path: 'small', length: 8, offset: PIECES * 16 - 8, executable: false }
  ]
}

test('a torrent piece of very many is written down without looking at the others', t => {
  const entry = new InputCache({ folder: createFolder(t) }).open('a'.repeat(40))
  const here = new Set(Array.from({ length: PIECES - 2 }, (_, i) => i))
  mkdirSync(entry.root)
  closeSync(openSync(path.join(entry.root, 'large'), 'w'))
  truncateSync(path.join(entry.root, 'large'), PIECES * 16 - 8)
  let asked = 0
  const kept = new KeptPieces(entry, LAYOUT, piece => {
    asked++
    return here.has(piece)
  })
  t.ok(kept.check())
  t.equal(asked, PIECES)
  t.equal(kept.stampOf(0), undefined)
  for (const piece of [PIECES - 2, PIECES - 1, PIECES - 1]) {
    if (piece === PIECES - 1 && kept.stampOf(1) === undefined) writeFileSync(path.join(entry.root, 'small'), '01234567')
    t.ok(kept.add(piece))
    kept.write()
    const bits = entry.readPieces(LAYOUT)!
    t.equal(bits[piece >> 3]! >> (7 - (piece & 7)) & 1, 1, `piece ${piece} is written down`)
    t.equal(kept.stampOf(0) !== undefined, piece === PIECES - 1, 'the file is complete with its last piece')
  }
  t.equal(asked, PIECES, 'none is looked at again')
  t.ok(kept.stampOf(1))
  kept.doubt()
  kept.write()
  t.equal(entry.readPieces(LAYOUT), null, 'nothing is written down of what is not sure')
  kept.close()
  entry.close()
  t.end()
})

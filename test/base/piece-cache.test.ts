import test from 'tape'
import { PieceCache } from '../../lib/base/piece-cache.ts'

const MIB = 1 << 20

test('windows are kept up to 16 MiB', t => {
  const cache = new PieceCache(2 * MIB)
  for (let index = 0; index < 17; index++) cache.set(index, 1, Buffer.alloc(MIB, index))
  t.equal(cache.slice(0, MIB, 1), undefined, 'the oldest is gone')
  t.equal(cache.slice(1, MIB, 1)?.[0], 1)
  t.equal(cache.slice(16, MIB + 5, 3)?.length, 3)
  cache.forget(16)
  t.equal(cache.slice(16, MIB, 1), undefined)
  t.end()
})

test('and tiny ones for as much as they really take', t => {
  const cache = new PieceCache(8)
  const most = 16 * MIB / Buffer.poolSize
  for (let index = 0; index <= most; index++) cache.set(index, 0, Buffer.from('12345678'))
  t.equal(cache.slice(0, 0, 8), undefined)
  t.equal(cache.slice(1, 0, 8)?.toString(), '12345678')
  t.end()
})

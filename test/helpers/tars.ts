/** Archives for tests: made by tar-stream, or block by block as nobody should. */
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import type { Header } from 'tar-stream'

/** An entry; what is left out is that of a file. */
export type TarEntry = Partial<Header> & Pick<Header, 'name'> & { data?: string | Uint8Array }

/** An archive as tar-stream makes it. */
export async function tarOf (entries: readonly TarEntry[]): Promise<Uint8Array> {
  const tar = pack()
  for (const { data = '', ...header } of entries) tar.entry({ mtime: new Date(1e12), ...header }, data)
  tar.finalize()
  return buffer(tar)
}

/** A header (ustar) with any values in it, and what follows it, filled up to a block. */
export function block (
  { name = 'x', type = '0', size = '', link = '', mode = '644', magic = 'ustar\x0000' }: Record<string, string>,
  data: Uint8Array | string = ''
): Buffer {
  const header = Buffer.alloc(512)
  const bytes = Buffer.from(data)
  for (const [text, at] of [
    [name, 0], [mode, 100], ['0', 108], ['0', 116], [size === '' ? bytes.length.toString(8) : size, 124], ['0', 136], [type, 156],
    [link, 157], [magic, 257]
  ] as const) header.write(text, at, 'latin1')
  return Buffer.concat([withChecksum(header), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

/** The block with the checksum that it needs to be a header. */
export function withChecksum (header: Uint8Array): Uint8Array {
  const copy = Buffer.from(header)
  copy.write('        ', 148, 'latin1')
  copy.write(`${copy.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0`, 148, 'latin1')
  return copy
}

/** One after another, and the end. */
export function archiveOf (...blocks: Uint8Array[]): Uint8Array {
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

/** In chunks, as a file is read. */
export async function * chunksOf (bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

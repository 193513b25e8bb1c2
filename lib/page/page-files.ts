/** The files of the page: those that the package ships, or built from source. */
import { readFile } from 'node:fs/promises'
import { BitWorkerError } from '../base/errors.ts'
import type { PageFile } from './page-server.ts'

const TYPES: Record<string, string> = {
  'index.html': 'text/html; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8'
}

/** The files by path; that of the HTML is `/`. Throws BW_ERR_PAGE if they are not there. */
export async function pageFiles (): Promise<ReadonlyMap<string, PageFile>> {
  // dist/cli.js or a chunk of it; without a build, the page is made here
  for (const folder of ['page/', '../page/']) {
    const read = async (name: string): Promise<Buffer> => readFile(new URL(`${folder}${name}`, import.meta.url))
    const files = await filesOf(read).catch(() => null)
    if (files !== null) return files
  }
  try {
    const { href } = new URL('../../scripts/page.ts', import.meta.url)
    const { bundlePage } = await import(href) as { bundlePage: () => Promise<{ files: Map<string, string> }> }
    const { files } = await bundlePage()
    return await filesOf(name => Buffer.from(files.get(name)!))
  } catch (cause) {
    throw new BitWorkerError('BW_ERR_PAGE', 'system', 'The files of the page are missing from this installation. Install BitWorker again.', { cause })
  }
}

async function filesOf (read: (name: string) => Buffer | Promise<Buffer>): Promise<ReadonlyMap<string, PageFile>> {
  const files = await Promise.all(Object.entries(TYPES).map(async ([name, type]) =>
    [name === 'index.html' ? '/' : `/${name}`, { type, bytes: await read(name) }] as const))
  return new Map(files)
}

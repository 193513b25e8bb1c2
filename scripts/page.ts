// Builds the page of lib/page/client/: its script, its style sheet and its HTML. The build puts them into dist/page/;
// tests and the client from source make them in memory.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import type { Plugin } from 'rolldown'
import { bundledPackages } from './bundled.ts'
import type { BundledPackage } from './bundled.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const CLIENT = `${ROOT}lib/page/client`
/** All of the page, in bytes with gzip. */
const BUDGET = 60_000

/** The files of the page by name, and the packages whose code they contain. */
export interface Page { files: Map<string, string>, packages: BundledPackage[] }

/** Bundles the page; a page above its budget is an error. */
export async function bundlePage (): Promise<Page> {
  let packages: BundledPackage[] = []
  const note: Plugin = { name: 'note', generateBundle (_, bundle) { packages = bundledPackages(bundle) } }
  const bundle = await rolldown({
    input: `${CLIENT}/main.tsx`,
    platform: 'browser',
    plugins: [note],
    tsconfig: `${CLIENT}/tsconfig.json`,
    transform: { target: 'es2022' }
  })
  const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false })
  await bundle.close()
  const styles = [`${ROOT}node_modules/uplot/dist/uPlot.min.css`, `${CLIENT}/page.css`]
  const files = new Map([
    ['index.html', readFileSync(`${CLIENT}/index.html`, 'utf8')],
    ['icon.svg', readFileSync(`${CLIENT}/icon.svg`, 'utf8')],
    ['page.css', styles.map(file => lean(readFileSync(file, 'utf8'))).join('\n')],
    ['page.js', output[0].code]
  ])
  const size = [...files.values()].reduce((sum, text) => sum + gzipSync(text).length, 0)
  if (size > BUDGET) throw new Error(`the page has ${size} bytes with gzip, more than ${BUDGET}`)
  return { files, packages }
}

/** A rolldown plugin: writes them into `page/`. */
export function pageFiles ({ files }: Page): Plugin {
  return {
    name: 'page',
    generateBundle () {
      for (const [name, source] of files) this.emitFile({ type: 'asset', fileName: `page/${name}`, source })
    }
  }
}

const lean = (css: string): string => css.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\s+/g, ' ').trim()

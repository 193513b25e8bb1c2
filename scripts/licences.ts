// A rolldown plugin: writes LICENCES.txt, the licences of the packages whose code is in the bundle, as they ask for.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'rolldown'

const PACKAGE_ROOT = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/

function licenceOf (root: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, string>
  const file = readdirSync(root).find(entry => /^(licen[cs]e|copying)/i.test(entry))
  const text = file === undefined ? `Licence: ${license}` : readFileSync(join(root, file), 'utf8').trim()
  return `${name} ${version}\n\n${text}\n`
}

/** The plugin. */
export function licences (): Plugin {
  return {
    name: 'licences',
    generateBundle (_, bundle) {
      const modules = Object.values(bundle).flatMap(output => output.type === 'chunk' ? output.moduleIds : [])
      const roots = new Set(modules.flatMap(id => PACKAGE_ROOT.exec(id)?.[0] ?? []))
      const source = [...roots].sort().map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`)
      this.emitFile({ type: 'asset', fileName: 'LICENCES.txt', source })
    }
  }
}

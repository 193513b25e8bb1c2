// Which packages have code in the bundle: what the licences, the bill of materials and the table of docs/SECURITY.md
// are made of.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Plugin } from 'rolldown'

type Bundle = Parameters<Extract<Plugin['generateBundle'], (...args: never[]) => unknown>>[1]

/** A package, as its own package.json has it. */
export interface BundledPackage { name: string, version: string, licence: string, root: string }

/** `licenses` is how it was written long ago. */
interface Manifest { name: string, version: string, license?: string, licenses?: Array<{ type: string }> }

const PACKAGE_ROOT = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/

/** Those of a bundle, each once, in the order of their folders. */
export function bundledPackages (bundle: Bundle): BundledPackage[] {
  const modules = Object.values(bundle).flatMap(output => output.type === 'chunk' ? output.moduleIds : [])
  const roots = new Set(modules.flatMap(id => PACKAGE_ROOT.exec(id)?.[0] ?? []))
  return [...roots].sort().map(root => {
    const { name, version, license, licenses } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8')
    ) as Manifest
    return { name, version, licence: license ?? licenses?.[0]?.type ?? '', root }
  })
}

/** The text of its licence. */
export function licenceOf ({ name, version, licence, root }: BundledPackage): string {
  const file = readdirSync(root).find(entry => /^(licen[cs]e|copying)/i.test(entry))
  const text = file === undefined ? `Licence: ${licence}` : readFileSync(join(root, file), 'utf8').trim()
  return `${name} ${version}\n\n${text}\n`
}

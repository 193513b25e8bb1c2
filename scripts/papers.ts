// A rolldown plugin: writes LICENCES.txt, the licences of the packages whose code is in the bundle, as they ask for,
// and bom.cdx.json, the list of them (CycloneDX 1.6) that tools for advisories read.
import { readFileSync } from 'node:fs'
import type { Plugin } from 'rolldown'
import { bundledPackages, licenceOf } from './bundled.ts'
import type { BundledPackage } from './bundled.ts'

/** A component of CycloneDX 1.6. */
export interface Component {
  type: 'library'
  'bom-ref': string
  name: string
  version: string
  purl: string
  licenses: object[]
}

/** The bill of materials. The same bundle makes the same file: no date, no serial number. */
export function billOfMaterials (packages: BundledPackage[]): { metadata: object, components: Component[] } {
  const { name, version, license } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, string>
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1
  }
  // the same package can be there twice
  const components = new Map(packages.map(entry => [`${entry.name} ${entry.version}`, component(entry)]))
  const own = component({ name: name!, version: version!, licence: license! })
  return { ...document, metadata: { component: own }, components: [...components.values()] }
}

function component ({ name, version, licence }: Omit<BundledPackage, 'root'>): Component {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return { type: 'library', 'bom-ref': purl, name, version, purl, licenses: licences(licence) }
}

function licences (licence: string): object[] {
  if (licence === '') return []
  return [/[ (]/.test(licence) ? { expression: licence } : { license: { id: licence } }]
}

/** The plugin. `more`: packages that are in the published package in another way. */
export function papers (more: BundledPackage[] = []): Plugin {
  return {
    name: 'papers',
    generateBundle (_, bundle) {
      const packages = [...bundledPackages(bundle), ...more]
      this.emitFile({
        type: 'asset', fileName: 'LICENCES.txt', source: packages.map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`)
      })
      this.emitFile({
        type: 'asset', fileName: 'bom.cdx.json', source: `${JSON.stringify(billOfMaterials(packages), null, 2)}\n`
      })
    }
  }
}

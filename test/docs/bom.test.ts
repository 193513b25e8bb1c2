// The bill of materials is that of the bundle, and docs/SECURITY.md speaks of each package in it, at its version.
import { readFileSync } from 'node:fs'
import { rolldown } from 'rolldown'
import test from 'tape'
import config from '../../rolldown.config.ts'
import { bundlePage } from '../../scripts/page.ts'
import type { Component } from '../../scripts/papers.ts'

const PACKAGE = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/

test('dist/bom.cdx.json lists the contents of the bundle, and docs/SECURITY.md mentions it', async t => {
  const { output } = await (await rolldown(config)).generate({ format: 'esm' })
  const asset = output.find(file => file.fileName === 'bom.cdx.json')
  const bom = JSON.parse(asset?.type === 'asset' ? String(asset.source) : '{}') as {
    bomFormat: string
    specVersion: string
    components: Component[]
  }
  t.same([bom.bomFormat, bom.specVersion], ['CycloneDX', '1.6'])
  const modules = output.flatMap(file => file.type === 'chunk' ? file.moduleIds : [])
  const roots = new Set(modules.flatMap(id => PACKAGE.exec(id)?.[0] ?? []))
  const { packages } = await bundlePage()
  const inside = [...roots, ...packages.map(({ root }) => root)].map(root => {
    const { name, version } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
      name: string
      version: string
    }
    return `${name} ${version}`
  })
  const listed = bom.components.map(({ name, version }) => `${name} ${version}`)
  t.same(listed.toSorted(), [...new Set(inside)].toSorted())
  t.ok(listed.length > 80, `${listed.length} packages`)
  t.ok(
    bom.components.every(({ purl, licenses }) => /^pkg:npm\/.+@\d/.test(purl) && licenses.length <= 1),
    'each with its package URL'
  )

  // | `name` 1.2.3 | what is known |, and a list of those of which nothing is
  const section = readFileSync('docs/SECURITY.md', 'utf8').split('## Bundled packages')[1]?.split('\n## ')[0] ?? ''
  const known = [...section.matchAll(/`([^` ]+)` (\d[\w-]*(?:\.[\w-]+)*)/g)].map(
    ([, name, version]) => `${name} ${version}`
  )
  t.same(known.toSorted(), listed.toSorted(), 'docs/SECURITY.md, "Bundled packages"')

  const code = output.flatMap(file => file.type === 'chunk' ? [file.code] : []).join('\n')
  for (const name of ['isPrivate', 'isPublic', 'isLoopback']) {
    t.notOk(code.includes(`ip.${name} = `), `ip's ${name} is not in it`)
  }
})

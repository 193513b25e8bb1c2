// Part of the build: deletes the .d.ts files in dist/ that the package's own does not lead to. They describe what
// nobody can import, WebTorrent's internals among it.
import { globSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'

const reached = new Set<string>()

function reach (file: string): void {
  if (reached.has(file)) return
  reached.add(file)
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/\b(?:from |import\()'(\.[^']+)\.ts'/g)) {
    reach(path.join(path.dirname(file), `${specifier}.d.ts`))
  }
}

reach('dist/lib/index.d.ts')
for (const file of globSync('dist/**/*.d.ts')) if (!reached.has(file)) rmSync(file)

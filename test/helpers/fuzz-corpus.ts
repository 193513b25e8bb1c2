/** Inputs that fuzzing found worth keeping: fixtures/fuzz/TARGET.txt, base64, one a line. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Where a target's corpus is. */
export function corpusPath (target: string): string {
  return fileURLToPath(new URL(`../../fixtures/fuzz/${target}.txt`, import.meta.url))
}

/** The inputs; none if there is no file. */
export function corpusOf (target: string): Uint8Array[] {
  const path = corpusPath(target)
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => new Uint8Array(Buffer.from(line, 'base64')))
}

/**
 * Files by pattern. One that matches nothing is an error: after a move it would test nothing, and nobody would know.
 */
import { globSync } from 'node:fs'

/** Paths from the project's folder, sorted. */
export function filesLike (...patterns: string[]): string[] {
  const files = patterns.map(pattern => globSync(pattern))
  const none = patterns.filter((_, i) => files[i]!.length === 0)
  if (none.length > 0) throw new Error(`no file is like ${none.join(', ')}`)
  return [...new Set(files.flat())].sort()
}

/** Reads files and folders that may not exist: those of the kernel, and those that others may remove at any time. */
import { readFileSync, readdirSync } from 'node:fs'

/** The text of a file; '' if it cannot be read. UTF-8 because Node reads that in one call. */
export function readOrEmpty (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** The names in a folder; none if it cannot be read. */
export function namesIn (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

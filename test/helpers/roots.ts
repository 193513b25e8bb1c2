/** A small system for tests: bash, some programs and their libraries, copied from this machine. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** A program that no machine has. */
export const BROUGHT = 'brought-along'

/** Makes the folder; everything else of it is in /usr, as on today's systems. */
export function makeRoot (folder: string, programs: readonly string[] = ['cat', 'ls', 'id', 'stat', 'sleep']): string {
  const bin = path.join(folder, 'usr/bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync('usr/bin', path.join(folder, 'bin'))
  for (const name of ['bash', ...programs]) copyWithLibraries(which(name), path.join(bin, name), folder)
  const locale = 'usr/lib/locale/C.utf8'
  if (existsSync(path.join('/', locale))) cpSync(path.join('/', locale), path.join(folder, locale), { recursive: true })
  writeFileSync(path.join(bin, BROUGHT), '#!/bin/bash\necho "brought along: $*"\n', { mode: 0o755 })
  mkdirSync(path.join(folder, 'etc'))
  writeFileSync(path.join(folder, 'etc/passwd'), 'nobody:x:65534:65534:of the root:/:/bin/bash\n')
  return folder
}

function which (name: string): string {
  return realpathSync(execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim())
}

/** As ldd has them: `libc.so.6 => /lib/…/libc.so.6 (0x…)`, and the loader without a name. */
function copyWithLibraries (program: string, to: string, folder: string): void {
  copyFileSync(program, to)
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' })
  for (const [, library = ''] of listed.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)) {
    const target = path.join(folder, library)
    mkdirSync(path.dirname(target), { recursive: true })
    copyFileSync(library, target)
  }
}

/**
 * What of this machine every command sees, in whatever sandbox: programs, and what programs need of /etc and /var. All
 * of it comes with packages and is everybody's to read; nothing of it is somebody's own. The same in all tiers, as a
 * task that works at one volunteer must not fail at another.
 */
import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import path from 'node:path'

/**
 * Where a sandbox has programs from. Not /opt, nor folders of other package managers: not in its PATH, and they may
 * hold anything.
 */
export const SHOWN_FOLDERS = ['/usr'] as const

/** A last component with `*` stands for all names that begin so. */
const NEEDED = [
  // the linker, and what stands for what
  '/etc/alternatives',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  // languages
  '/etc/java*',
  '/etc/perl',
  '/etc/python*',
  '/etc/R',
  '/etc/mono',
  '/etc/octave.conf',
  '/etc/OpenCL',
  '/var/lib/gems',
  '/var/lib/ghc',
  '/etc/php/*/cli/conf.d',
  '/etc/php/*/mods-available',
  // pictures, documents, fonts, words
  '/etc/ImageMagick*',
  '/etc/GraphicsMagick*',
  '/etc/fonts',
  '/var/cache/fontconfig',
  '/etc/ghostscript',
  '/var/lib/ghostscript',
  '/etc/povray',
  '/etc/groff',
  '/etc/papersize',
  '/etc/paperspecs',
  '/etc/texmf',
  '/var/lib/texmf',
  '/etc/xml',
  '/etc/sgml',
  '/var/lib/sgml-base',
  '/etc/dictionaries-common',
  '/var/lib/dictionaries-common',
  '/var/lib/aspell',
  // names and numbers
  '/etc/mime.types',
  '/etc/magic',
  '/etc/magic.mime',
  '/etc/protocols',
  '/etc/services',
  '/etc/rpc',
  '/etc/locale.alias',
  '/etc/terminfo',
  '/etc/os-release',
  '/etc/debian_version',
  // whom TLS trusts
  '/etc/ssl/openssl.cnf',
  '/etc/ssl/certs',
  '/etc/ca-certificates.conf',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/crypto-policies'
]

/**
 * In a folder of certificates, what is a file and not a link is one that was made here, with this machine's name; but
 * for these.
 */
const CERTIFICATES = /\/certs\/(?:ca-certificates\.crt|ca-bundle(?:\.trust)?\.crt|java\/cacerts)$/
/** Where somebody may have put a password. */
const PRIVATE = /\.(?:password|key|site)$|\bprivate\b|\/jmxremote\./
/** More than that in one folder is looked through no further: it is not shown. */
const MAX_ENTRIES = 20_000

/** Something that is shown, without what is in it but nobody else may see. */
export interface Shown {
  path: string
  /** absolute paths in it */
  hidden: string[]
}

/** All of it, as a sandbox mounts it, read-only; shown-copy.ts. */
export interface ShownMounts {
  /** folders with all that is small */
  copies: Array<{ path: string, at: string }>
  /** what is not, and has its place in those */
  others: string[]
  /** what of those nobody may see */
  hidden: Array<{ path: string, isFolder: boolean }>
}

/** What of it this machine has. @param root where it is looked for; for tests */
export function shownOf (root = ''): Shown[] {
  return NEEDED.flatMap(pattern => expand(root, pattern)).flatMap(at => {
    if (!isEverybodys(root, at)) return []
    const hidden = hiddenIn(at)
    return hidden === null ? [] : [{ path: at, hidden }]
  })
}

let here: Shown[] | undefined

/** What this machine has; looked for once in a process. */
export function shownHere (): readonly Shown[] {
  return here ??= shownOf()
}

function expand (root: string, pattern: string): string[] {
  let found = [root === '' ? '/' : root]
  for (const name of pattern.split('/').slice(1)) {
    found = found.flatMap(at => name.endsWith('*')
      ? namesIn(at).filter(each => each.startsWith(name.slice(0, -1))).map(each => path.join(at, each))
      : [path.join(at, name)])
  }
  return found.filter(at => statOrNull(at) !== null)
}

/** Everybody can get to it, and links lead to no other place than where programs have such things. */
function isEverybodys (root: string, at: string): boolean {
  const real = realpathSync(at)
  const isProgramData = ['/usr/', '/etc/', '/var/'].some(folder =>
    real.startsWith(root === '' ? folder : `${realpathSync(root)}${folder}`)
  )
  if (!isProgramData || !isReadable(statSync(at))) return false
  for (let dir = path.dirname(real); dir !== path.dirname(dir); dir = path.dirname(dir)) {
    if ((statSync(dir).mode & 0o001) === 0) return false
  }
  return true
}

function isReadable (stats: Stats): boolean {
  const needed = stats.isDirectory() ? 0o005 : 0o004
  return (stats.mode & needed) === needed && (stats.isFile() || stats.isDirectory())
}

/** null if there is too much in it to be looked at. */
function hiddenIn (at: string): string[] | null {
  const hidden: string[] = []
  const folders = statSync(at).isDirectory() ? [at] : []
  let count = 0
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const name of namesIn(folder)) {
      if (++count > MAX_ENTRIES) return null
      const entry = path.join(folder, name)
      const stats = lstatSync(entry, { throwIfNoEntry: false })
      if (stats === undefined || stats.isSymbolicLink()) continue
      const isOwn = stats.isFile() && /\/ssl\/certs\//.test(entry) && !CERTIFICATES.test(entry)
      if (!isReadable(stats) || isOwn || PRIVATE.test(entry)) hidden.push(entry)
      else if (stats.isDirectory()) folders.push(entry)
    }
  }
  return hidden
}

/** Folders that may be listed but not allowed as a whole, and what of theirs can be. */
export function visibleIn ({ path: folder, hidden }: Shown): { lists: string[], reads: string[] } {
  const lists = [folder]
  const reads: string[] = []
  for (const at of lists) {
    for (const name of namesIn(at)) {
      const entry = path.join(at, name)
      if (hidden.includes(entry) || lstatSync(entry, { throwIfNoEntry: false })?.isSymbolicLink() !== false) continue
      if (hidden.some(each => each.startsWith(`${entry}/`))) lists.push(entry)
      else reads.push(entry)
    }
  }
  return { lists, reads }
}

/** Users of the sandbox: root, who does not come in, and whom commands are. */
export const PASSWD = 'root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/scratch:/bin/bash\n'
export const GROUP = 'root:x:0:\nnogroup:x:65534:\n'

function namesIn (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function statOrNull (at: string): Stats | null {
  try {
    return statSync(at)
  } catch {
    return null
  }
}

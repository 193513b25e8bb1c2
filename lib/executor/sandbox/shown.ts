/**
 * The files of this machine that every command sees, in any sandbox: programs, and what programs need from /etc and
 * /var. All of it comes with packages and is world-readable; none of it is personal. It is the same in all tiers,
 * because a task that works for one volunteer must not fail for another.
 */
import { lstatSync, realpathSync, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import path from 'node:path'
import { namesIn } from '../../system/lenient-reads.ts'

/**
 * The folders of programs. Neither /opt nor the folders of other package managers: they are not in the sandbox's PATH,
 * and may contain anything.
 */
export const SHOWN_FOLDERS = ['/usr'] as const

/** A last component with `*` stands for all names with that beginning. */
const NEEDED = [
  // the dynamic linker, and alternatives
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
  // certificate authorities for TLS
  '/etc/ssl/openssl.cnf',
  '/etc/ssl/certs',
  '/etc/ca-certificates.conf',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/crypto-policies'
]

/**
 * In a folder of certificates, a regular file (not a link) was made on this machine, and has its name in it; these are
 * exceptions.
 */
const CERTIFICATES = /\/certs\/(?:ca-certificates\.crt|ca-bundle(?:\.trust)?\.crt|java\/cacerts)$/
/** Files that may contain a password. */
const PRIVATE = /\.(?:password|key|site)$|\bprivate\b|\/jmxremote\./
/** A folder with more entries than this is not searched, and not shown. */
const MAX_ENTRIES = 20_000

/** A path that is shown, except for the parts that are not world-readable. */
export interface Shown {
  path: string
  /** absolute paths of these parts */
  hidden: string[]
}

/** Everything that is shown, as a sandbox mounts it, read-only; see shown-copy.ts. */
export interface ShownMounts {
  /** folders that contain copies of all small parts */
  copies: Array<{ path: string, at: string }>
  /** the large parts, which have mount points in the copies */
  others: string[]
  /** the parts of those that nobody may see */
  hidden: Array<{ path: string, isFolder: boolean }>
}

/** The part of it that this machine has. @param root where to look; for tests */
export function shownOf (root = ''): Shown[] {
  return NEEDED.flatMap(pattern => expand(root, pattern)).flatMap(at => {
    if (!isEverybodys(root, at)) return []
    const hidden = hiddenIn(at)
    return hidden === null ? [] : [{ path: at, hidden }]
  })
}

let here: Shown[] | undefined

/** The part of it that this machine has; determined once per process. */
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

/** Whether everybody can reach it, and links lead only to folders of this kind. */
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

/** null if it has too many entries. */
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

/** For a folder that cannot be allowed as a whole: the folders that may be listed, and the paths that may be read. */
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

/** The users in the sandbox: root, who does not occur in it, and the commands' user. */
export const PASSWD = 'root:x:0:0:root:/:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/scratch:/bin/bash\n'
export const GROUP = 'root:x:0:\nnogroup:x:65534:\n'

function statOrNull (at: string): Stats | null {
  try {
    return statSync(at)
  } catch {
    return null
  }
}

/**
 * The names of an entry's values, which a command receives as variables of these names. Each must be a valid name of a
 * shell variable. It must have no meaning to bash, the dynamic loader or the C library, and must not be a variable that
 * every work item has. Pure. Called by lib/task/inputs.ts and the code that makes lists.
 */
import { quote } from './names.ts'

const MAX_COLUMNS = 64
const MAX_NAME_BYTES = 64
/** The variables that every work item has, see docs/task-file.md. */
const TAKEN = [
  'PIECE_IDX', 'FILE_IDX', 'PART_IDX', 'PIECE_COUNT', 'PART_COUNT', 'FILE', 'PIECE_LENGTH', 'TASK_NAME', 'HOME',
  'TMPDIR', 'PATH', 'LANG', 'TZ', 'INPUT', 'ENTRY', 'PART_LIST', 'PART_LIST_FILE', 'PART_DIR'
]
/**
 * Variables that bash sets or uses itself (bash(1), "Shell Variables"), and those that change how programs are loaded.
 */
const SPECIAL = [
  '_', 'CDPATH', 'CHILD_MAX', 'COLUMNS', 'DIRSTACK', 'EMACS', 'ENV', 'EUID', 'EXECIGNORE', 'FCEDIT', 'FIGNORE',
  'FUNCNAME', 'FUNCNEST', 'GCONV_PATH', 'GETCONF_DIR', 'GLOBIGNORE', 'GLOBSORT', 'GROUPS', 'HISTCMD', 'HOSTFILE',
  'HOSTNAME', 'HOSTTYPE', 'IFS', 'IGNOREEOF', 'INPUTRC', 'INSIDE_EMACS', 'LANGUAGE', 'LINENO', 'LINES', 'LOCPATH',
  'LOGNAME', 'MACHTYPE', 'MAPFILE', 'NLSPATH', 'OLDPWD', 'OPTARG', 'OPTERR', 'OPTIND', 'OSTYPE', 'PIPESTATUS',
  'POSIXLY_CORRECT', 'PPID', 'PROMPT_COMMAND', 'PROMPT_DIRTRIM', 'PWD', 'RANDOM', 'REPLY', 'RESOLV_HOST_CONF',
  'RES_OPTIONS', 'SECONDS', 'SHELL', 'SHELLOPTS', 'SHLVL', 'SRANDOM', 'TERM', 'TIMEFORMAT', 'TMOUT', 'TZDIR', 'UID',
  'USER'
]
/** Both lists, for docs/task-file.md. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([...TAKEN, ...SPECIAL])
const RESERVED_PREFIX = new RegExp('^(?:BASH|COMP_|COPROC|DYLD_|EPOCH|GIT_|GLIBC_|HIST|LC_|LD_|MALLOC_|NODE_|PERL|PS\\d|' +
  'PYTHON|READLINE_|RUBY|XDG_)')

/** What is wrong with the names, as the end of a sentence about their list; null if nothing is. */
export function columnsProblem (names: readonly string[]): string | null {
  if (names.length === 0 || names.length > MAX_COLUMNS) return `has ${names.length} names, not 1 to ${MAX_COLUMNS}`
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) return `has the name ${quote(twice)} twice`
  for (const name of names) {
    if (!/^[A-Za-z_]\w*$/.test(name) || name.length > MAX_NAME_BYTES) {
      return `has the name ${quote(name)}, which is not letters, digits and underscores, at most ${MAX_NAME_BYTES}`
    }
    if (RESERVED_NAMES.has(name) || RESERVED_PREFIX.test(name)) {
      return `has the name ${name}, which means something else to a command`
    }
  }
  return null
}

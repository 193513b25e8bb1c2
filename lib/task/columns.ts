/**
 * The names of the values of an entry, which a command finds as variables of these names. So each must be a name that a
 * shell takes for a variable, and none may be one that means something to bash, to the loader of programs or to the
 * C library, nor one of those that every work item has. Pure. Called by lib/task/inputs.ts and whoever makes lists.
 */

const MAX_COLUMNS = 64
const MAX_NAME_BYTES = 64
/** What a work item finds in any case, see docs/task-file.md. */
const TAKEN = [
  'PIECE_IDX', 'FILE_IDX', 'PART_IDX', 'PIECE_COUNT', 'PART_COUNT', 'FILE', 'PIECE_LENGTH', 'TASK_NAME', 'HOME',
  'TMPDIR', 'PATH', 'LANG', 'TZ', 'INPUT', 'ENTRY', 'PART_LIST', 'PART_LIST_FILE', 'PART_DIR'
]
/** What bash sets or heeds itself (bash(1), "Shell Variables"), and what changes how programs are loaded. */
const SPECIAL = [
  '_', 'CDPATH', 'CHILD_MAX', 'COLUMNS', 'DIRSTACK', 'EMACS', 'ENV', 'EUID', 'EXECIGNORE', 'FCEDIT', 'FIGNORE',
  'FUNCNAME', 'FUNCNEST', 'GCONV_PATH', 'GETCONF_DIR', 'GLOBIGNORE', 'GLOBSORT', 'GROUPS', 'HISTCMD', 'HOSTFILE',
  'HOSTNAME', 'HOSTTYPE', 'IFS', 'IGNOREEOF', 'INPUTRC', 'INSIDE_EMACS', 'LANGUAGE', 'LINENO', 'LINES', 'LOCPATH',
  'LOGNAME', 'MACHTYPE', 'MAPFILE', 'NLSPATH', 'OLDPWD', 'OPTARG', 'OPTERR', 'OPTIND', 'OSTYPE', 'PIPESTATUS',
  'POSIXLY_CORRECT', 'PPID', 'PROMPT_COMMAND', 'PROMPT_DIRTRIM', 'PWD', 'RANDOM', 'REPLY', 'RESOLV_HOST_CONF',
  'RES_OPTIONS', 'SECONDS', 'SHELL', 'SHELLOPTS', 'SHLVL', 'SRANDOM', 'TERM', 'TIMEFORMAT', 'TMOUT', 'TZDIR', 'UID',
  'USER'
]
/** Both, for docs/task-file.md. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([...TAKEN, ...SPECIAL])
const RESERVED_PREFIX = new RegExp('^(?:BASH|COMP_|COPROC|DYLD_|EPOCH|GIT_|GLIBC_|HIST|LC_|LD_|MALLOC_|NODE_|PERL|PS\\d|' +
  'PYTHON|READLINE_|RUBY|XDG_)')

/** What is wrong with the names, as the end of a sentence about their list; null: nothing. */
export function columnsProblem (names: readonly string[]): string | null {
  if (names.length === 0 || names.length > MAX_COLUMNS) return `has ${names.length} names, not 1 to ${MAX_COLUMNS}`
  if (new Set(names).size < names.length) return 'has a name twice'
  for (const name of names) {
    if (!/^[A-Za-z_]\w*$/.test(name) || name.length > MAX_NAME_BYTES) {
      return `has a name that is not letters, digits and underscores, at most ${MAX_NAME_BYTES}`
    }
    if (RESERVED_NAMES.has(name) || RESERVED_PREFIX.test(name)) {
      return `has the name ${name}, which means something else to a command`
    }
  }
  return null
}

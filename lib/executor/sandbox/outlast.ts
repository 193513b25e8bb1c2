/**
 * What outlasts a command in a sandbox of bwrap, which ends with the first process that it started: others may still
 * print then. So that is a bash which starts the command's own. When that has ended well, it waits for the end of its
 * stdin, which comes when the end of the command's stdout was seen outside. Pure.
 */
import { NO_STDIN } from '../launch.ts'

/**
 * On descriptor `fd` is the command's stdout, which nobody else may hold. `set -m`, as bash has what it starts in the
 * background ignore SIGINT and SIGQUIT without it; with it, `wait` also returns when the command is stopped.
 */
const outlast = (fd: number, stdin: string): string => [
  `set -m;"$@" <${stdin} >&${fd} ${fd}>&-&exec ${fd}>&- 2>&-`,
  'wait $!',
  's=$?',
  'if ((s>146&&s<151))',
  'then while kill -0 $!',
  'do sleep .05',
  'done',
  'wait $!',
  's=$?',
  'fi',
  '((s))||read -rd ""',
  'exit $s'
].join(';')

/** The command line that runs `command`, whose stdout is `fd`, until that has ended. @param stdin a path, no quotes */
export function outlastCommand (command: readonly string[], before: string, fd: number, stdin = NO_STDIN): string[] {
  return ['/bin/bash', '--noprofile', '--norc', '-c', before + outlast(fd, stdin), 'outlast', ...command]
}

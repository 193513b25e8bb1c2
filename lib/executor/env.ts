/**
 * The environment of a command: an allow-list, because a parent's environment is full of secrets.
 */

const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin'

/**
 * What a command gets from the parent: PATH, with its scratch folder as the last place to look for programs, LANG,
 * LC_*, TZ; and HOME and TMPDIR, both its scratch folder. Variables of `own` win.
 */
export function commandEnv (
  parent: NodeJS.ProcessEnv, scratch: string, own: Record<string, string>
): Record<string, string> {
  const env: Record<string, string> = { PATH: DEFAULT_PATH }
  for (const [name, value] of Object.entries(parent)) {
    if (value !== undefined && value !== '' && isAllowed(name)) env[name] = value
  }
  return { ...env, PATH: `${env['PATH']}:${scratch}`, HOME: scratch, TMPDIR: scratch, ...own }
}

/**
 * What a command gets in a sandbox: the same on every machine, so that its output can be. The last place to look for
 * programs is its folder: one that the volunteer binds there is found by its name. Git fails where there is a
 * configuration of the machine's that it cannot read.
 */
export function sandboxEnv (scratch: string, own: Record<string, string>): Record<string, string> {
  return {
    PATH: `${DEFAULT_PATH}:${scratch}`,
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    HOME: scratch,
    TMPDIR: scratch,
    GIT_CONFIG_NOSYSTEM: '1',
    ...own
  }
}

function isAllowed (name: string): boolean {
  return name === 'PATH' || name === 'LANG' || name === 'TZ' || /^LC_[A-Z]+$/.test(name)
}

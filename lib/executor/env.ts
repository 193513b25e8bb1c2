/** The environment of a command: only allowed variables, because the parent's environment is full of secrets. */

const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin'

/**
 * The environment without a sandbox: from the parent, PATH (with the scratch folder added at the end), LANG, LC_* and
 * TZ; HOME and TMPDIR are the scratch folder. Variables of `own` take precedence.
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
 * The environment in a sandbox: the same on every machine, so that the output can be, too. PATH ends with the scratch
 * folder, so that a program that the volunteer binds there is found by its name. Git's system configuration is
 * disabled, because git fails if it cannot read it.
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

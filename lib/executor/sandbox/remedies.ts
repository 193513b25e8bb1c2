/**
 * What to do where a sandbox does not work, by what it said. Pure.
 */

const REMEDIES: Array<[said: RegExp, remedy: string]> = [
  // Ubuntu 24.04 and later: the sysctl that would also help opens the machine to more than bwrap
  [
    /setting up uid map: Permission denied|loopback: Failed RTM_NEWADDR/,
    'AppArmor forbids it; give bwrap a profile: package apparmor-profiles, then copy /usr/share/apparmor/extra-profiles/bwrap-userns-restrict to /etc/apparmor.d and reload apparmor'
  ],
  [
    /No permissions to create(?: a)? new namespace|Creating new namespace failed: Operation not permitted|unshare.*Operation not permitted/,
    'the system or its container forbids user namespaces; allow them (kernel.unprivileged_userns_clone=1, or a container with a seccomp profile that allows them)'
  ],
  [
    /No space left on device|max_user_namespaces/,
    'no more user namespaces are allowed; raise user.max_user_namespaces, or leave the sandbox that this runs in'
  ],
  [/Unknown option/, 'bubblewrap is older than 0.8; update it'],
  [
    /^Landlock: (Function not implemented|Operation not supported)/,
    'the kernel has no Landlock, or it is off; use Linux 6.12 or later with landlock in its list of security modules (lsm=)'
  ],
  [
    /^Landlock: Operation not permitted/,
    'the container forbids it; use one whose seccomp profile allows landlock_create_ruleset'
  ],
  [/^Landlock has version/, 'the kernel is too old; use Linux 6.12 or later'],
  [/mount proc/i, 'the container hides parts of /proc']
]

/** One line: which sandbox, what it said, what to do. */
export function remedyFor (tier: string, said: string): string {
  const remedy = REMEDIES.find(([pattern]) => pattern.test(said))?.[1]
  return `${tier} does not work here (${said.trim().replaceAll('\n', ' ')})${remedy === undefined ? '' : `: ${remedy}`}`
}

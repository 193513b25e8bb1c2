/** Suggests what to do if a sandbox does not work, by its error message. Pure. */

const REMEDIES: Array<[said: RegExp, remedy: string]> = [
  // Ubuntu 24.04 and later: the sysctl that would also help weakens more than bwrap
  [
    /setting up uid map: Permission denied|loopback: Failed RTM_NEWADDR/,
    'AppArmor forbids it. Give bwrap a profile: install apparmor-profiles, copy /usr/share/apparmor/extra-profiles/bwrap-userns-restrict to /etc/apparmor.d, and reload apparmor.'
  ],
  [
    /No permissions to create(?: a)? new namespace|Creating new namespace failed: Operation not permitted|unshare.*Operation not permitted/,
    'The system or its container forbids user namespaces. Allow them (kernel.unprivileged_userns_clone=1, or a container whose seccomp profile allows them).'
  ],
  [
    /No space left on device|max_user_namespaces/,
    'No more user namespaces are allowed. Raise user.max_user_namespaces, or leave the sandbox that this runs in.'
  ],
  [/Unknown option/, 'Bubblewrap is older than 0.8. Update it.'],
  [
    /^Landlock: (Function not implemented|Operation not supported)/,
    'The kernel has no Landlock, or it is disabled. Use Linux 6.12 or later with landlock in its list of security modules (lsm=).'
  ],
  [
    /^Landlock: Operation not permitted/,
    'The container forbids it. Use one whose seccomp profile allows landlock_create_ruleset.'
  ],
  [/^Landlock has version/, 'The kernel is too old. Use Linux 6.12 or later.'],
  [/mount proc/i, 'The container hides parts of /proc.']
]

/** One line: which sandbox, its message, what to do. */
export function remedyFor (tier: string, said: string): string {
  const remedy = REMEDIES.find(([pattern]) => pattern.test(said))?.[1]
  return `${tier} does not work here (${said.trim().replaceAll('\n', ' ').replace(/\.$/, '')}).${remedy === undefined ? '' : ` ${remedy}`}`
}

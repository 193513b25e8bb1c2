/** What a sandbox is, whatever makes it. */
import type { Launcher } from '../launch.ts'

/**
 * How commands are confined: by bwrap, by bwrap where a container keeps it from having a /proc, by Landlock, or not at
 * all.
 */
export type Tier = 'bwrap' | 'bwrap-noproc' | 'landlock' | 'none'

/** What a user may ask for; 'auto' is the best there is. */
export type SandboxChoice = 'auto' | 'bwrap' | 'landlock' | 'none'

/** A sandbox that works here. */
export interface Sandbox {
  readonly tier: Exclude<Tier, 'none'>
  createLauncher (): Launcher
}

/** What was found out. */
export interface SandboxReport {
  /** 'none': nothing may be computed, unless the user wants that explicitly */
  readonly tier: Tier
  /** null if there is none */
  readonly sandbox: Sandbox | null
  /** why it is not a better one, and what to do: one line each */
  readonly problems: string[]
}

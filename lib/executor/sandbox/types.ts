/** The interface of a sandbox of any kind. */
import type { Launcher } from '../launch.ts'

/**
 * How commands are confined: by bwrap, by bwrap where a container does not allow a /proc, by Landlock, or not at all.
 */
export type Tier = 'bwrap' | 'bwrap-noproc' | 'landlock' | 'none'

/** The user's choice; 'auto' is the best available one. */
export type SandboxChoice = 'auto' | 'bwrap' | 'landlock' | 'none'

/** A sandbox that works here. */
export interface Sandbox {
  readonly tier: Exclude<Tier, 'none'>
  createLauncher (): Launcher
}

/** The result of the detection. */
export interface SandboxReport {
  /** 'none': nothing may be computed unless the user explicitly allows it */
  readonly tier: Tier
  /** null if there is none */
  readonly sandbox: Sandbox | null
  /** why it is not a better one, and what to do: one line each */
  readonly problems: string[]
}

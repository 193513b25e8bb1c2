/** The callbacks of a running command's executor. */
import type { Launcher } from './launch.ts'
import type { ValidLimits } from './limits.ts'
import type { NestPool } from './nest/nest-pool.ts'
import type { Fifos } from './process/fifos.ts'
import type { Sessions } from './process/sessions.ts'
import type { WarmShells } from './warm/warm-shells.ts'

/** The part of an executor that its items need. */
export interface ItemHost {
  shell: string
  launcher: Launcher
  nestPool: NestPool
  /** the volunteer's limits for each command */
  limits: ValidLimits
  sessions: Sessions
  fifos: Fifos
  warm: WarmShells
  /** the process group `pgid` exists */
  onStart (pgid: number): void
  /** no process of the item is left; `pgid` is undefined if there never was one */
  onEnd (pgid: number | undefined): void
}

/** What one running command needs of the executor that it belongs to. */
import type { Launcher } from './launch.ts'
import type { Limits } from './limits.ts'
import type { NestPool } from './nest/nest-pool.ts'
import type { Fifos } from './process/fifos.ts'
import type { Sessions } from './process/sessions.ts'
import type { WarmShells } from './warm/warm-shells.ts'

/** What an item needs of its executor. */
export interface ItemHost {
  shell: string
  launcher: Launcher
  nestPool: NestPool
  /** what the volunteer gives each command */
  limits: Partial<Limits>
  sessions: Sessions
  fifos: Fifos
  warm: WarmShells
  /** the process group `pgid` exists from now on */
  onStart (pgid: number): void
  /** nothing of the item runs any more; `pgid` is undefined if nothing ever ran */
  onEnd (pgid: number | undefined): void
}

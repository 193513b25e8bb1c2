/** How the command will be confined: from flags to options of the torrent, and to messages for users. */
import { BitWorkerError } from '../../base/errors.ts'
import type { Limits } from '../../executor/limits.ts'
import { detectSandbox } from '../../executor/sandbox/detect.ts'
import type { SandboxChoice, SandboxReport, Tier } from '../../executor/sandbox/types.ts'
import type { ComputeOptions } from '../../webtorrent/options.ts'

/** The parsed flags (cli/flags/shared.ts). */
export interface ConfinementFlags {
  sandbox: SandboxChoice
  unsafeNoSandbox: boolean
  /** whether tasks that need a GPU may use one */
  gpu: boolean
  /** from --max-time, --max-memory and so on */
  limits?: Partial<Limits>
}

/** How commands run on this machine, or why they do not. */
export interface Confinement {
  /** false: there is no sandbox, and the user has not allowed running without */
  readonly mayCompute: boolean
  readonly options: Pick<ComputeOptions, 'sandbox' | 'limits' | 'gpu'>
  /** for the `sandbox` event */
  readonly fields: { tier: Tier, problems: string[] }
  /** for users */
  readonly banner: string
}

/** Detects the sandbox. Throws BW_ERR_USAGE for contradictory flags. */
export async function confine (flags: ConfinementFlags): Promise<Confinement> {
  const choice = choiceOf(flags)
  const { tier, problems } = await detectSandbox(choice)
  const options = { sandbox: choice, limits: flags.limits ?? {}, gpu: flags.gpu }
  return {
    mayCompute: tier !== 'none' || choice === 'none',
    options,
    fields: { tier, problems },
    banner: bannerOf({ tier, problems }, choice)
  }
}

function choiceOf ({ sandbox, unsafeNoSandbox }: ConfinementFlags): SandboxChoice {
  if (unsafeNoSandbox && (sandbox === 'auto' || sandbox === 'none')) return 'none'
  if (!unsafeNoSandbox && sandbox !== 'none') return sandbox
  throw new BitWorkerError('BW_ERR_USAGE', 'usage', unsafeNoSandbox
    ? `--unsafe-no-sandbox contradicts --sandbox ${sandbox}. Leave out one of them.`
    : '--sandbox none gives the command all your permissions. If you mean it, pass --unsafe-no-sandbox as well.')
}

function bannerOf ({ tier, problems }: Pick<SandboxReport, 'tier' | 'problems'>, choice: SandboxChoice): string {
  if (tier !== 'none') {
    return `The command runs in a sandbox (${tier}): no network, and of your files only those that --bind shows, read-only.`
  }
  if (choice === 'none') {
    return 'UNSANDBOXED (--unsafe-no-sandbox): the command can read and delete your files, and use your network.'
  }
  return `No sandbox works here, so nothing is computed, only downloaded. ${problems.join(' ')} See bitworker doctor.`
}

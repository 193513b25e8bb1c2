/** What `create` says about verifying the results of a task, from its flags. */
import { hexOf } from '../../base/digest.ts'
import { BitWorkerError } from '../../base/errors.ts'
import { readSigningKey } from '../../config/trust-files.ts'
import { publicKeyOf } from '../../task/ed25519.ts'
import type { CreateTaskOptions } from '../../task/task.ts'
import type { SignerFlags } from './sign.ts'
import { namedPublicKey } from './trust.ts'

/** The flags as typed. */
export interface VerifyingFlags extends SignerFlags {
  verifyCommand?: string
  /** seconds */
  verifyTimeout?: number
  compareCommand?: string
  deterministic?: true
  notDeterministic?: true
  /** keys, or paths of their `.pub` files; '': the key that signs */
  checker: string[]
  sign: boolean
}

type VerifyingOptions = Pick<
  CreateTaskOptions, 'verifyCommand' | 'verifyTimeoutMs' | 'compareCommand' | 'deterministic' | 'checkers'
>

/** Throws BW_ERR_USAGE, BW_ERR_KEY, BW_ERR_KEY_FILE, BW_ERR_NOT_FOUND, errors of the file system. */
export async function verifyingOptions (flags: VerifyingFlags): Promise<VerifyingOptions> {
  const { verifyCommand, verifyTimeout, compareCommand, deterministic, notDeterministic } = flags
  if (verifyTimeout !== undefined && verifyCommand === undefined) {
    throw usage('--verify-timeout limits the verify command. Pass --verify-command CMD as well.')
  }
  if (deterministic === true && notDeterministic === true) {
    throw usage('--deterministic and --not-deterministic contradict each other. Leave out one of them.')
  }
  if (compareCommand !== undefined && deterministic === true) {
    throw usage('Results of a --deterministic task are equal byte by byte, so there is nothing for --compare-command to do. Leave out one of them.')
  }
  const checkers = await checkersOf(flags)
  return {
    ...(verifyCommand !== undefined && { verifyCommand }),
    ...(verifyTimeout !== undefined && { verifyTimeoutMs: verifyTimeout * 1000 }),
    ...(compareCommand !== undefined && { compareCommand }),
    ...(deterministic === true && { deterministic }),
    ...(notDeterministic === true && { deterministic: false }),
    ...(checkers.length > 0 && { checkers })
  }
}

async function checkersOf ({ checker, sign, key }: VerifyingFlags): Promise<string[]> {
  const keys = new Set<string>()
  for (const named of checker) {
    if (named === '' && !sign) throw usage('--checker without a key means the one that signs. Pass --sign as well, or name a key.')
    keys.add(named === '' ? hexOf(publicKeyOf(await readSigningKey(key))) : (await namedPublicKey(named)).key)
  }
  return [...keys]
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}

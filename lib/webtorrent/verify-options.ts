/** Which results of other peers are accepted: from the options of a torrent to those of its session. */
import { hexOf } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { readSigningKey } from '../config/trust-files.ts'
import type { SessionEvents } from '../session/events.ts'
import { publicKeyOf } from '../task/ed25519.ts'
import type { Task } from '../task/task.ts'
import { checkedPolicy, defaultPolicy, formatPolicy, parsePolicy } from '../verification/policy.ts'
import type { DefaultPolicy } from '../verification/policy.ts'
import type { Policy, VerificationStats } from '../verification/types.ts'
import type { PolicyOption, VerificationReport, VerifyOptions, VerifyingOptions } from './verify-types.ts'

/** The part of ComputeTorrent that is reported. */
export interface ReportingTorrent {
  readonly _verifies: ChosenVerifying | null
  readonly _session: { readonly verification: VerificationStats | null } | null
}

/** What `torrent.verification` is. */
export function reportOf ({ _verifies: chosen, _session: session }: ReportingTorrent): VerificationReport | null {
  const stats = session?.verification ?? null
  return chosen === null || stats === null ? null : { policy: formatPolicy(chosen.policy), ...stats }
}

/** The policy of a torrent, and what its session needs for it. */
export interface ChosenVerifying extends DefaultPolicy {
  /** null: nothing is verified */
  options: VerifyingOptions | null
}

/** Whether the options ask for anything; otherwise results are not verified. */
export function isVerifyingAsked ({ verify, member, checkers = [], membersOnly = false }: VerifyOptions): boolean {
  return verify !== undefined || member !== undefined || checkers.length > 0 || membersOnly
}

/** The same for a task whose output is read: what comes from it is as good as its results. */
export function verifyOptionsOf (
  { verify, member, checkers, taskCheckers, key, compute, expectsComputing }: VerifyOptions & { compute?: unknown }
): VerifyOptions {
  const computes = compute !== undefined && compute !== false
  return {
    ...(verify !== undefined && { verify }),
    ...(member !== undefined && { member }),
    ...(checkers !== undefined && { checkers }),
    ...(taskCheckers !== undefined && { taskCheckers }),
    ...(key !== undefined && { key }),
    // otherwise it is computed only if somebody says so
    ...(verify === 'all' && { expectsComputing: expectsComputing ?? computes })
  }
}

/** The torrent that asks. */
export interface ChoosingTorrent {
  readonly destroyed: boolean
  readonly _options: VerifyOptions & { compute?: unknown }
  _verifies: ChosenVerifying | null
  _destroy (err: Error): void
  emit (event: 'verifying', verifying: SessionEvents['verifying']): boolean
}

/** What the session of the torrent needs; undefined if results are not verified. A failure ends the torrent. */
export async function chooseVerifying (torrent: ChoosingTorrent, task: Task): Promise<VerifyingOptions | undefined> {
  try {
    const { policy, line, isWarning } = torrent._verifies = await verifyingFor(task, torrent._options)
    if (!torrent.destroyed) torrent.emit('verifying', { policy: formatPolicy(policy), line, isWarning })
  } catch (err) {
    torrent._destroy(err as Error)
  }
  return torrent._verifies?.options ?? undefined
}

/**
 * The policy for a task. Rejects with BW_ERR_VERIFY_OPTIONS, BW_ERR_KEY_FILE,
 * BW_ERR_KEY.
 */
async function verifyingFor (
  task: Task, options: VerifyOptions & { compute?: unknown }
): Promise<ChosenVerifying> {
  const { verify, member, checkers = [], taskCheckers = true, key, membersOnly = false } = options
  const { expectsComputing = options.compute !== undefined && options.compute !== false } = options
  const memberKey = member === undefined ? undefined : await readSigningKey(member)
  const named = verify === undefined ? undefined : policyOf(verify)
  const trustedKeys = named?.kind === 'trust' && named.keys !== undefined
    ? new Set(named.keys)
    : new Set(checkedKeys(checkers))
  if (named?.kind !== 'trust' || named.keys === undefined) {
    if (memberKey !== undefined) trustedKeys.add(hexOf(publicKeyOf(memberKey)))
    if (taskCheckers) for (const checker of task.checkers ?? []) trustedKeys.add(checker)
  }
  const isComparable = task.deterministic !== false || task.compareCommand !== undefined
  const chosen = named === undefined
    ? defaultPolicy({
        hasVerifyCommand: task.verifyCommand !== undefined,
        isComparable,
        hasTrustedKey: trustedKeys.size > 0,
        computes: expectsComputing
      })
    : { policy: named, line: `accepted by the policy ${formatPolicy(named)}`, isWarning: false }
  const { policy } = chosen
  if (named?.kind === 'all' && !expectsComputing) {
    throw refused('The policy all accepts what is computed or found right here, and nothing is computed here. Choose another one.')
  }
  // the verify command decides alone
  const isJudged = policy.kind === 'all' && task.verifyCommand !== undefined
  if (membersOnly && trustedKeys.size === 0) {
    throw refused('Only members are to be served, and no trusted key is known, so that everybody would be refused. Name a key.')
  }
  if (membersOnly && policy.kind === 'off') {
    throw refused('Who is a member is known only where results are verified, and the policy off verifies none. Choose another policy.')
  }
  if (policy.kind === 'off' || (isJudged && !membersOnly)) return { ...chosen, options: null }
  if (policy.kind === 'trust' && trustedKeys.size === 0) {
    throw refused('The policy trust accepts what trusted peers computed, and no trusted key is known. Name one.')
  }
  if (named !== undefined && !isComparable && (policy.kind === 'audit' || policy.kind === 'quorum')) {
    throw refused(`The results of this task differ from run to run, so the policy ${policy.kind} cannot compare them. Choose trust, all or off.`)
  }
  return {
    ...chosen,
    options: {
      // and the verify command decides as well
      policy: isJudged ? { kind: 'trust' } : policy,
      membersOnly,
      comparison: task.compareCommand !== undefined ? 'command' : isComparable ? 'bytes' : 'none',
      isDeterministic: task.deterministic === true,
      trustedKeys,
      ...(memberKey !== undefined && { member: memberKey }),
      ...(key !== undefined && { key: await readSigningKey(key) })
    }
  }
}

function policyOf (option: PolicyOption): Policy {
  if (typeof option === 'string') return parsePolicy(option)
  if ('audit' in option) return checkedPolicy({ kind: 'audit', error: option.audit })
  if ('quorum' in option) return checkedPolicy({ kind: 'quorum', count: option.quorum })
  return checkedPolicy({ kind: 'trust', keys: [...option.trust] })
}

function checkedKeys (keys: readonly string[]): readonly string[] {
  if (keys.length === 0) return keys
  const checked = checkedPolicy({ kind: 'trust', keys: [...keys] })
  return checked.kind === 'trust' ? checked.keys ?? [] : []
}

function refused (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_VERIFY_OPTIONS', 'usage', message)
}

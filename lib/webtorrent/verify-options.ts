/** Which results of other peers are accepted: from the options of a torrent to those of its session. */
import type { KeyObject } from 'node:crypto'
import { hexOf } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { readSigningKey } from '../config/trust-files.ts'
import type { SessionEvents } from '../session/events.ts'
import { publicKeyOf } from '../task/ed25519.ts'
import { checkSignatures } from '../task/signature.ts'
import type { Task } from '../task/task.ts'
import { checkedPolicy, defaultPolicy, formatPolicy, parsePolicy } from '../verification/policy.ts'
import type { DefaultPolicy } from '../verification/policy.ts'
import type { Policy, VerificationStats } from '../verification/types.ts'
import type { PolicyOption, VerificationReport, VerifyOptions, VerifyingOptions } from './verify-types.ts'

/** The part of ComputeTorrent that is reported. */
export interface ReportingTorrent {
  readonly _verifies: ChosenVerifying | null
  readonly _session: { readonly verification: VerificationStats | null, readonly policy: Policy | null } | null
}

/** What `torrent.verification` is. */
export function reportOf ({ _verifies: chosen, _session: session }: ReportingTorrent): VerificationReport | null {
  const stats = session?.verification ?? null
  if (chosen === null || stats === null) return null
  // another one may have taken its place; with `all`, that is the one beside the verify command
  const policy = chosen.policy.kind === 'all' ? chosen.policy : session?.policy ?? chosen.policy
  const isMemberExpected = chosen.isMemberExpected || policy.kind === 'trust'
  return { policy: formatPolicy(policy), isMemberExpected, ...stats }
}

/** The policy of a torrent, and what its session needs for it. */
export interface ChosenVerifying extends DefaultPolicy {
  /** members of a trusted key are expected to take part: the reader or the task names one, or has its signature */
  isMemberExpected: boolean
  /** null: nothing is verified */
  options: VerifyingOptions | null
}

type AddOptions = VerifyOptions & { compute?: unknown }

/** The same for a task whose output is read: what comes from it is as good as its results. */
export function verifyOptionsOf (options: AddOptions): VerifyOptions {
  const { verify, member, membersOnly, checkers, taskCheckers, trust, key, isRead } = options
  return {
    ...(verify !== undefined && { verify }),
    ...(member !== undefined && { member }),
    ...(membersOnly === true && { membersOnly }),
    ...(checkers !== undefined && { checkers }),
    ...(taskCheckers !== undefined && { taskCheckers }),
    ...(trust !== undefined && { trust }),
    ...(key !== undefined && { key }),
    isRead: isRead === true || willCompute(options),
    // otherwise it is computed only if somebody says so
    ...(verify === 'all' && { expectsComputing: willCompute(options) })
  }
}

function willCompute ({ compute, expectsComputing }: AddOptions): boolean {
  return expectsComputing ?? (compute !== undefined && compute !== false)
}

/** The torrent that asks. */
export interface ChoosingTorrent {
  readonly destroyed: boolean
  readonly _options: AddOptions & { verifying?: VerifyingOptions }
  _verifies: ChosenVerifying | null
  _destroy (err: Error): void
  emit (event: 'verifying', verifying: SessionEvents['verifying']): boolean
}

/** What the session of the torrent needs; undefined if results are not verified. A failure ends the torrent. */
export async function chooseVerifying (torrent: ChoosingTorrent, task: Task): Promise<VerifyingOptions | undefined> {
  if (torrent._options.verifying !== undefined) return torrent._options.verifying
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
 * BW_ERR_KEY, BW_ERR_TASK_SIGNATURE.
 */
async function verifyingFor (task: Task, options: AddOptions): Promise<ChosenVerifying> {
  const { verify, member, key, membersOnly = false, isRead = false } = options
  const computes = willCompute(options)
  const memberKey = member === undefined ? undefined : await readSigningKey(member)
  const named = verify === undefined ? undefined : policyOf(verify)
  const { trustedKeys, isMemberExpected } = trustedKeysOf(task, options, named, memberKey)
  const isComparable = task.deterministic !== false || task.compareCommand !== undefined
  const chosen = named === undefined
    ? defaultPolicy({
        hasVerifyCommand: computes && task.verifyCommand !== undefined,
        isComparable,
        hasTrustedKey: isMemberExpected,
        computes: computes || isRead
      })
    : { policy: named, line: `accepted by the policy ${formatPolicy(named)}`, isWarning: false }
  const { policy } = chosen
  if (!computes) checkWithoutComputing(named, isRead)
  // the verify command decides alone
  const isJudged = policy.kind === 'all' && task.verifyCommand !== undefined
  if (membersOnly && trustedKeys.size === 0) {
    throw refused('Only members are to be served, and no trusted key is known, so that everybody would be refused. Name a key.')
  }
  if (membersOnly && policy.kind === 'off') {
    throw refused('Who is a member is known only where results are verified, and the policy off verifies none. Choose another policy.')
  }
  // who only has not chosen keeps what is attested, for those who check it
  const keepsNothing = policy.kind === 'off' && (named !== undefined || !isComparable)
  if (keepsNothing || (isJudged && !membersOnly && memberKey === undefined)) {
    return { ...chosen, isMemberExpected, options: null }
  }
  if (policy.kind === 'trust' && trustedKeys.size === 0) {
    throw refused('The policy trust accepts what trusted peers computed, and no trusted key is known. Name one.')
  }
  if (named !== undefined && !isComparable && (policy.kind === 'audit' || policy.kind === 'quorum')) {
    throw refused(`The results of this task differ from run to run, so the policy ${policy.kind} cannot compare them. Choose trust, all or off.`)
  }
  return {
    ...chosen,
    isMemberExpected,
    options: {
      // and the verify command decides as well, or alone
      policy: isJudged ? { kind: membersOnly ? 'trust' : 'off' } : policy,
      membersOnly,
      comparison: task.compareCommand !== undefined ? 'command' : isComparable ? 'bytes' : 'none',
      isDeterministic: task.deterministic === true,
      trustedKeys,
      ...(memberKey !== undefined && { member: memberKey }),
      ...(key !== undefined && { key: await readSigningKey(key) })
    }
  }
}

/** Throws BW_ERR_VERIFY_OPTIONS for a policy that only computing fulfils. */
function checkWithoutComputing (named: Policy | undefined, isRead: boolean): void {
  if (named?.kind === 'all') {
    throw refused('The policy all accepts what is computed or found right here, and nothing is computed here. Choose another one.')
  }
  if (named?.kind === 'audit' && named.error !== undefined && !isRead) {
    throw refused(`The sample of ${formatPolicy(named)} is computed here, and nothing is computed here. Choose audit or trust.`)
  }
}

interface Trusted {
  trustedKeys: Set<string>
  /** members of one of them are expected to take part */
  isMemberExpected: boolean
}

/**
 * The keys whose members are trusted here. Somebody is expected to take part for those that the reader or the task
 * names, and for those of the trust list that signed the task: whoever is trusted with what runs here, is with its
 * results. The other keys of the trust list have nothing to do with this task, unless one of their members appears.
 */
function trustedKeysOf (
  task: Task, { checkers = [], taskCheckers = true, trust = { authors: [] } }: VerifyOptions,
  named: Policy | undefined, member: KeyObject | undefined
): Trusted {
  if (named?.kind === 'trust' && named.keys !== undefined) {
    return { trustedKeys: new Set(named.keys), isMemberExpected: true }
  }
  const now = new Date()
  const listed = trust.authors
    .filter(({ denied, expires }) => denied !== true && (expires === undefined || expires > now)).map(({ key }) => key)
  const signers = listed.length === 0
    ? []
    : checkSignatures([...task.signatures], task.digest).map(({ publicKey }) => publicKey)
  const keys = new Set([
    ...checkedKeys(checkers),
    ...(member === undefined ? [] : [hexOf(publicKeyOf(member))]),
    ...(taskCheckers ? task.checkers ?? [] : []),
    ...listed.filter(listedKey => signers.includes(listedKey))
  ])
  for (const { key, denied } of trust.authors) if (denied === true) keys.delete(key)
  return { trustedKeys: new Set([...keys, ...listed]), isMemberExpected: keys.size > 0 }
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

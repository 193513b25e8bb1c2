/** Which results of other peers are accepted: from the options of a torrent to those of its session. */
import type { KeyObject } from 'node:crypto'
import { hexOf } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { readSigningKey } from '../config/trust-files.ts'
import type { JudgeMode } from '../session/work-session.ts'
import { publicKeyOf } from '../task/ed25519.ts'
import { checkSignatures } from '../task/signature.ts'
import type { Task } from '../task/task.ts'
import { checkedPolicy, defaultPolicy, formatPolicy, parsePolicy } from '../verification/policy.ts'
import type { DefaultPolicy } from '../verification/policy.ts'
import type { Policy } from '../verification/types.ts'
import type { PolicyOption, VerifyOptions, VerifyingOptions } from './verify-types.ts'

/** The policy of a torrent, and what its session needs for it. */
export interface ChosenVerifying extends DefaultPolicy {
  /** members of a trusted key are expected to take part: the reader or the task names one, or has its signature */
  isMemberExpected: boolean
  /** null: nothing is verified */
  options: VerifyingOptions | null
}

type AddOptions = VerifyOptions & { compute?: unknown }

/** Options of a torrent; `verifying` is used as it is. */
export type VerifyingTorrentOptions = AddOptions & { verifying?: VerifyingOptions }

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

/** What decides about the default beside task and options. */
export interface Circumstances {
  /** commands run here, or will */
  computes: boolean
  /** results do not differ from run to run, as far as is known */
  isComparable: boolean
  /** the verify command is not known not to work here */
  commandWorks: boolean
}

/** The choice of the policy for one task. */
export class PolicyChoice {
  readonly #task: Task
  readonly #options: AddOptions
  readonly #named: Policy | undefined
  readonly #trusted: Trusted
  readonly #keys: Pick<VerifyingOptions, 'key' | 'member'>

  private constructor (task: Task, options: AddOptions, keys: Pick<VerifyingOptions, 'key' | 'member'>) {
    this.#task = task
    this.#options = options
    this.#keys = keys
    this.#named = options.verify === undefined ? undefined : policyOf(options.verify)
    this.#trusted = trustedKeysOf(task, options, this.#named, keys.member)
  }

  /** Rejects with BW_ERR_VERIFY_OPTIONS, BW_ERR_KEY_FILE, BW_ERR_KEY and BW_ERR_TASK_SIGNATURE. */
  static async read (task: Task, options: AddOptions): Promise<PolicyChoice> {
    const { member, key } = options
    return new PolicyChoice(task, options, {
      ...(member !== undefined && { member: await readSigningKey(member) }),
      ...(key !== undefined && { key: await readSigningKey(key) })
    })
  }

  /** The options name a policy: it stays, whatever happens. */
  get isNamed (): boolean { return this.#named !== undefined }

  /** The options say that something is to be computed. */
  get computes (): boolean { return willCompute(this.#options) }

  /** Throws BW_ERR_VERIFY_OPTIONS. */
  choose ({ computes, isComparable, commandWorks }: Circumstances): ChosenVerifying {
    const { verifyCommand } = this.#task
    const { trustedKeys, isMemberExpected } = this.#trusted
    const { membersOnly = false, isRead = false } = this.#options
    const named = this.#named
    const isBroken = computes && verifyCommand !== undefined && !commandWorks
    let chosen: DefaultPolicy = named === undefined
      ? defaultPolicy({
          hasVerifyCommand: computes && verifyCommand !== undefined && commandWorks,
          isComparable,
          hasTrustedKey: isMemberExpected,
          computes: computes || isRead
        })
      : { policy: named, line: `accepted by the policy ${formatPolicy(named)}`, isWarning: false }
    if (isBroken && named === undefined) {
      // nothing is accepted only because nobody can judge it
      const policy: Policy = chosen.policy.kind === 'off' ? { kind: 'all' } : chosen.policy
      chosen = { policy, line: this.withoutCommand(policy), isWarning: true }
    }
    const { policy } = chosen
    if (!computes) checkWithoutComputing(named, isRead)
    this.#check(policy)
    // the verify command decides alone
    const isJudged = policy.kind === 'all' && verifyCommand !== undefined
    // who only has not chosen keeps what is attested, for those who check it
    const keepsNothing = policy.kind === 'off' && (named !== undefined || !isComparable)
    if (keepsNothing || (isJudged && !membersOnly && this.#keys.member === undefined)) {
      return { ...chosen, isMemberExpected, options: null }
    }
    return {
      ...chosen,
      isMemberExpected,
      options: {
        // and the verify command decides as well, or alone
        policy: isJudged ? { kind: membersOnly ? 'trust' : 'off' } : policy,
        membersOnly,
        trustedKeys,
        ...this.#keys
      }
    }
  }

  /** Whether the verify command judges results under this policy. */
  judgingBy ({ kind }: Policy): JudgeMode {
    if (kind === 'all') return 'required'
    return kind === 'off' && this.isNamed ? 'none' : 'possible'
  }

  /** What holds by this policy where the verify command does not work, for the reader. */
  withoutCommand (policy: Policy): string {
    const how = policy.kind === 'all'
      ? 'only what this machine computes is used'
      : this.isNamed ? `accepted by the policy ${formatPolicy(policy)} alone` : HOW[policy.kind]
    return `${how}, as the task's verify command does not work here`
  }

  #check (policy: Policy): void {
    const { trustedKeys } = this.#trusted
    if (this.#options.membersOnly === true && trustedKeys.size === 0) {
      throw refused('Only members are to be served, and no trusted key is known, so that everybody would be refused. Name a key.')
    }
    if (this.#options.membersOnly === true && policy.kind === 'off') {
      throw refused('Who is a member is known only where results are verified, and the policy off verifies none. Choose another policy.')
    }
    if (policy.kind === 'trust' && trustedKeys.size === 0) {
      throw refused('The policy trust accepts what trusted peers computed, and no trusted key is known. Name one.')
    }
    const isComparable = this.#task.deterministic !== false || this.#task.compareCommand !== undefined
    if (this.isNamed && !isComparable && (policy.kind === 'audit' || policy.kind === 'quorum')) {
      throw refused(`The results of this task differ from run to run, so the policy ${policy.kind} cannot compare them. Choose trust, all or off.`)
    }
  }
}

const HOW: Record<Exclude<Policy['kind'], 'all'>, string> = {
  audit: 'checked by lot', trust: 'accepted from trusted peers only', off: 'not checked', quorum: 'accepted by quorum'
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

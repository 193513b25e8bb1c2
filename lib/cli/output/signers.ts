/** The signers of a task, and whether it may start because of them: in words, and as an error. */
import { BitWorkerError } from '../../base/errors.ts'
import { MAX_LABEL_LENGTH } from '../../task/signature.ts'
import type { Judgement, SignerJudgement } from '../../trust/judge.ts'
import { escapeText } from './format.ts'

const STANDING = {
  trusted: 'you trust this key, and the task is within its limits',
  limited: 'you trust this key, but the task exceeds its limits',
  unknown: 'you do not know this key',
  denied: 'you denied this key, so its tasks do not run'
}

/** A signer in two lines: the key, and what the trust list says about it. Without the signer's own label. */
export function describeSigner ({ key, standing, label, why }: SignerJudgement): string[] {
  const name = label === undefined ? '' : `${escapeText(label)}: `
  return [key, `${name}${STANDING[standing]}${why === undefined ? '' : `: ${why}`}`]
}

/** Why there is no prompt; or why there is one after all, when the task is judged together with its earlier ones. */
export function describeVerdict (alone: Judgement, together: Judgement): string[] {
  const trusted = together.signers.find(({ standing }) => standing === 'trusted')
  if (together.verdict === 'trusted' && trusted !== undefined) {
    return [`Signed by ${nameOf(trusted)}, whom you trust, so it starts without asking.`]
  }
  if (alone.verdict !== 'trusted') return []
  return together.signers.filter(({ standing }) => standing === 'limited')
    .map(signer => `Signed by ${nameOf(signer)}, whom you trust, but its limits are exceeded: ${signer.why}.`)
}

function nameOf ({ key, label }: SignerJudgement): string { return label === undefined ? key : escapeText(label) }

/** Throws BW_ERR_DENIED (exit 2) for a task signed by a denied key. */
export function refuseDenied ({ verdict, signers }: Judgement): void {
  if (verdict !== 'denied') return
  const { key, label } = signers.find(({ standing }) => standing === 'denied')!
  throw new BitWorkerError(
    'BW_ERR_DENIED',
    'usage',
    `This task is signed by ${label ?? key}, whose tasks you denied. Pass --no-compute to download only, or remove the key from the list with bitworker trust remove ${key}.`
  )
}

/** Throws BW_ERR_USAGE for an invalid label. */
export function checkLabel (label: string): void {
  if (label.trim() === label && label !== '' && label.length <= MAX_LABEL_LENGTH && escapeText(label) === label) return
  throw new BitWorkerError(
    'BW_ERR_USAGE', 'usage', `--label must be 1 to ${MAX_LABEL_LENGTH} visible characters.`
  )
}

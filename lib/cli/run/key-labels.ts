/** What the user calls public keys: in the trust list, and in the `.pub` files of the keys that he names. */
import { namedPublicKey } from '../commands/trust.ts'
import { publicFileOf } from '../../config/trust-files.ts'
import type { TrustStore } from '../../trust/list-format.ts'

/** By key. Rejects with the errors of `namedPublicKey` for a checker. */
export async function keyLabels (
  { checker, member }: { checker: readonly string[], member?: string }, { authors }: TrustStore
): Promise<ReadonlyMap<string, string>> {
  const named = await Promise.all(checker.map(async text => namedPublicKey(text)))
  // the secret key of a member has no label itself
  if (member !== undefined) named.push(...await namedPublicKey(publicFileOf(member)).then(key => [key], () => []))
  const labels = new Map<string, string>()
  for (const { key, label } of [...named, ...authors]) if (label !== undefined) labels.set(key, label)
  return labels
}

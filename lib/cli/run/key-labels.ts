/** What the user calls public keys: in the trust list, in the `.pub` files of the keys that he names, or as a file. */
import path from 'node:path'
import { hexOf } from '../../base/digest.ts'
import { publicFileOf, readSigningKey } from '../../config/trust-files.ts'
import { publicKeyOf } from '../../task/ed25519.ts'
import type { PublicKey } from '../../task/key-format.ts'
import type { TrustStore } from '../../trust/list-format.ts'
import { namedPublicKey } from '../commands/trust.ts'

/** By key. Rejects with the errors of `namedPublicKey` for a checker. */
export async function keyLabels (
  { checker, member }: { checker: readonly string[], member?: string }, { authors }: TrustStore
): Promise<ReadonlyMap<string, string>> {
  const named = await Promise.all(checker.map(async text => namedPublicKey(text)))
  if (member !== undefined) named.unshift(...await memberNames(member))
  const labels = new Map<string, string>()
  for (const { key, label } of [...named, ...authors]) if (label !== undefined) labels.set(key, label)
  return labels
}

/** A secret key has no label itself, and is often copied without its `.pub` file: then it is called as its file. */
async function memberNames (file: string): Promise<PublicKey[]> {
  // who needs the key says what is wrong with it
  const secret = await readSigningKey(file).catch(() => null)
  if (secret === null) return []
  const key = hexOf(publicKeyOf(secret))
  const beside = await namedPublicKey(publicFileOf(file)).catch(() => null)
  return [{ key, label: beside?.key === key && beside.label !== undefined ? beside.label : path.basename(file, '.key') }]
}

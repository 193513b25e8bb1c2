/** `bitworker keygen`: makes a key to sign tasks with. */
import path from 'node:path'
import { createSigningKey, defaultKeyFile } from '../../config/trust-files.ts'
import { explain } from '../output/failure.ts'
import { escapeText } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { checkLabel } from '../output/signers.ts'

/** The flags as typed. */
export interface KeygenFlags {
  output?: string
  label?: string
  force: boolean
  json: boolean
}

/** Writes the two files of a new key. Throws BW_ERR_FILE_EXISTS, BW_ERR_USAGE and errors of the file system. */
export async function keygen ({ output, label, force, json }: KeygenFlags): Promise<void> {
  if (label !== undefined) checkLabel(label)
  const target = path.resolve(output ?? defaultKeyFile())
  const { key, file, publicFile } = await createSigningKey(target, { label, force })
    .catch((error: unknown) => { throw explain(error, target) })
  new JsonOutput(json).emit('key', { key, file, publicFile, ...(label !== undefined && { label }) })
  const stream = json ? process.stderr : process.stdout
  stream.write([
    `public key  ${key}`,
    `            ${escapeText(publicFile)}`,
    `secret key  ${escapeText(file)}: keep it secret, and keep a copy; it has no passphrase`,
    '',
    'Give the public key to people who trust you:',
    `  bitworker trust add ${key}`,
    ''
  ].join('\n'))
}

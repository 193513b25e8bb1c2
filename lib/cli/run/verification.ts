/** Which results of other peers are accepted: from flags to options of the torrent, and what people see of it. */
import { namedPublicKey } from '../commands/trust.ts'
import type { TrustStore } from '../../trust/list-format.ts'
import type { PieceState } from '../../verification/types.ts'
import { parsePolicy } from '../../verification/policy.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { TaskTorrentOptions } from '../../webtorrent/options.ts'
import type { VerificationReport, VerifyOptions } from '../../webtorrent/verify-types.ts'
import { plural } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import { nameOfKey } from '../output/keys.ts'
import { keyLabels } from './key-labels.ts'
import type { Remarks } from './remarks.ts'
import { whose } from './wrong-results.ts'
import type { WrongResults } from './wrong-results.ts'

/** The flags as typed. */
export interface VerifyingFlags {
  verify?: string
  member?: string
  checker: string[]
  checkers: boolean
  key?: string
  membersOnly: boolean
  compute: boolean
}

/** The options for the torrent. Throws BW_ERR_VERIFY_OPTIONS, and the errors of `namedPublicKey`. */
export async function verifyOptions (
  flags: VerifyingFlags, trust: TrustStore
): Promise<VerifyOptions & Pick<TaskTorrentOptions, 'labels'>> {
  const { verify, member, checker, checkers, key, membersOnly, compute } = flags
  // at once, not when the task is known
  if (verify !== undefined) parsePolicy(verify)
  const named = await Promise.all(checker.map(async text => (await namedPublicKey(text)).key))
  return {
    labels: await keyLabels(flags, trust),
    taskCheckers: checkers,
    trust,
    membersOnly,
    expectsComputing: compute,
    ...(verify !== undefined && { verify }),
    ...(member !== undefined && { member }),
    ...(named.length > 0 && { checkers: named }),
    ...(key !== undefined && { key })
  }
}

/** Reports which policy holds, what is found by checks, and whose results are wrong. */
export function reportVerification (torrent: Torrent, out: JsonOutput, remarks: Remarks): void {
  torrent.on('verifying', ({ policy, line, isWarning }) => {
    out.emit('verifying', { policy, message: line })
    remarks.add('verification', [`${isWarning ? 'Warning: results' : 'results'}: ${line}`], 'policy')
  })
  torrent.on('checked', checked => {
    const { piece, right, by } = checked
    // strangers can cause any number of those
    if (by === 'verify' && !right) remarks.emit('checked', { ...checked })
    else out.emit('checked', checked)
    if (right) return
    if (by !== 'verify') {
      remarks.add('verification', [`Piece ${piece}: the result of ${nameOfKey(checked)} differs from what this machine computes.`], `wrong ${piece}`)
    } else for (const peer of whose(checked)) {
      remarks.add('verification', [`Piece ${piece}: the verify command finds the result of ${peer} wrong. Wrong results are not used.`], `wrong of ${peer}`)
    }
  })
  torrent.on('suspected', event => {
    remarks.emit('suspected', { ...event })
    remarks.add('verification', [`The word of ${nameOfKey(event)} alone is not enough any more: ${event.reason}.`], `suspected ${event.key}`)
  })
  torrent.on('excluded', event => {
    remarks.emit('excluded', { ...event })
    remarks.add('verification', [`${capitalised(nameOfKey(event))} is excluded: ${event.reason}.`], `excluded ${event.key}`)
  })
  torrent.on('refused', ({ peer, reason }) => {
    remarks.emit('refused', { peer, reason })
    remarks.add('verification', [`Peer ${peer} is refused: ${reason}.`], `refused ${peer}`)
  })
  torrent.on('level', ({ level, reason }) => {
    out.emit('level', { level, reason })
    remarks.add('verification', [`${reason}.`], `level ${level}`)
  })
  torrent.on('incomparable', ({ piece, policy }) => {
    out.emit('incomparable', { piece, policy })
    remarks.add('verification', [
      `Warning: Two runs of piece ${piece} on this machine differ, so results of this task cannot be checked by comparing them: ${INSTEAD[policy]}`
    ], 'incomparable')
  })
}

/** What is accepted where results cannot be compared. */
const INSTEAD = {
  all: 'only what this machine computes is used.',
  trust: 'only trusted peers are believed.',
  off: 'all are accepted from now on. To trust only some peers, pass --verify trust=KEY.'
}

/** The line below the bar; null: results are not verified. */
export function verificationRemark ({ verification }: Torrent, wrong: WrongResults): string | null {
  if (verification === null) return wrong.counted
  const { own, verified, trusted, confirmed, attested, doubtful, missing } = verification.states
  const all = own + verified + trusted + confirmed + attested + doubtful + missing + verification.states.unattested
  return [
    `✓ ${own + verified + trusted} of ${all} own or trusted`,
    ...(confirmed > 0 ? [`${confirmed} by two`] : []),
    ...(attested > 0 ? [`${attested} by one`] : []),
    ...(doubtful > 0 ? [`${doubtful} doubtful`] : []),
    ...(wrong.counted === null ? [] : [wrong.counted])
  ].join(' · ')
}

/** The last lines about a finished task. @param verification null: results were not verified by attestations */
export function verificationSummary (verification: VerificationReport | null, wrong: WrongResults): string[] {
  if (verification === null) return wrong.summary === null ? [] : [wrong.summary]
  const { states, lots, sample, excluded } = verification
  const said: Array<[PieceState, string]> = [
    ['own', 'computed here'], ['verified', 'found right by the verify command'], ['trusted', 'by trusted peers'],
    ['confirmed', 'confirmed'], ['attested', 'attested by one peer'], ['doubtful', 'doubtful'], ['unattested', 'unattested']
  ]
  const counts = said.filter(([state]) => states[state] > 0).map(([state, words]) => `${states[state]} ${words}`)
  const found = [...(wrong.summary === null ? [] : [wrong.summary]), ...(excluded > 0 ? [`${plural(excluded, 'peer')} excluded`] : [])]
  const bad = found.length === 0 ? '' : `; ${found.join(', ')}`
  const drawn = sample !== null && sample.checked > 0
    ? `of a sample of ${sample.checked} ${sample.wrong} ${sample.wrong === 1 ? 'was' : 'were'} wrong: at most ${percent(sample.atMost)} of what others computed ${sample.state === 'failed' ? 'are' : 'were'} (95 %)`
    : lots.drawn > 0
      ? `of ${lots.drawn} drawn by lot ${lots.wrong} ${lots.wrong === 1 ? 'was' : 'were'} wrong: at most ${percent(lots.atMost)} of what others computed are (95 %)`
      : null
  return [
    `verified    ${counts.join(', ')}${bad}`,
    ...(drawn === null ? [] : [drawn]),
    ...(isByStrangers(verification) ? ['Nobody you trust took part: no member of a trusted key has computed a piece.'] : []),
    ...(sample?.state === 'failed' ? ['The sample found too many wrong results. To be sure, run it again with --verify trust=KEY or --verify all.'] : [])
  ]
}

/** Somebody trusted should have taken part, and all that others computed is by strangers. */
function isByStrangers ({ isMemberExpected, members, states }: VerificationReport): boolean {
  return isMemberExpected && members === 0 && states.confirmed + states.attested > 0
}

/** The task is done, but not to the standard that was asked for. */
export function isUnmet ({ verification }: Torrent): boolean { return verification?.sample?.state === 'failed' }

function capitalised (sentence: string): string { return sentence.charAt(0).toUpperCase() + sentence.slice(1) }

function percent (share: number): string { return `${(Math.ceil(share * 1000) / 10).toFixed(1)} %` }

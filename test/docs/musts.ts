/**
 * Where each MUST of docs/ut_bitworker.md and docs/task-file.md is played, by words that only its sentence has; or why
 * it is not.
 */
import { readFileSync } from 'node:fs'
import type { Test } from 'tape'
import { sentencesWith } from '../helpers/markdown.ts'

/** One of them. */
interface Must {
  /** a row of the document's table that is played row by row */
  row?: string
  /** a test file, and the title of the test in it */
  test?: string
  title?: string
  /** why nothing plays it */
  why?: string
}

const sends = (title: string): Must => ({ test: 'docs/ut-bitworker-sends.test.ts', title })
const state = (title: string): Must => ({ test: 'ut_bitworker/state.test.ts', title })

/** Of docs/ut_bitworker.md. */
export const WIRE_MUSTS: Record<string, Must> = {
  'MUST accept incoming connections in plaintext': sends('the snapshot: results of all pieces, in messages that are not too long; bits once; no have before'),
  'MUST try plaintext': sends('the peer that opens a connection says its handshake in plaintext, and then waits'),
  'MUST NOT send anything else before it has received': sends('the peer that opens a connection says its handshake in plaintext, and then waits'),
  'has connected to itself': { row: "the receiver's own peer id" },
  'otherwise the message MUST NOT be sent': sends('without BEP 6 none of its messages is sent'),
  'Messages with other ids MUST be ignored': { row: 'a message with an unknown id' },
  'MUST accept these three at any time': sends('bits may arrive at any time, and are added to the known ones'),
  'MUST NOT send more than 16 of them': sends('the snapshot: results of all pieces, in messages that are not too long; bits once; no have before'),
  'Requests MUST NOT be longer': sends('requests: within the size, in steps of 16 KiB, and no more than reqq'),
  "MUST NOT have more unanswered ones than the other side's": sends('requests: within the size, in steps of 16 KiB, and no more than reqq'),
  'MUST answer each request exactly once': sends('with BEP 6 each request has one answer'),
  'MUST be sent before any other extended message': sends('the snapshot: results of all pieces, in messages that are not too long; bits once; no have before'),
  'A higher `v` MUST be treated like 1': sends('handshakes: a higher v and unknown keys say nothing'),
  'Unknown keys, also inside `bitworker`, MUST be ignored': sends('handshakes: a higher v and unknown keys say nothing'),
  'MUST send one that has `metadata_size`': sends('metadata: what is not there is rejected; a link becomes a task for others, too'),
  'MUST NOT have any other effect than to close the connection': { test: 'swarm/hostile-table.test.ts', title: 'the table of hostile inputs' },
  'a receiver MUST refuse a longer one': { test: 'task/errors.test.ts', title: 'a huge file is refused without looking at it' },
  'MUST be answered with *reject*': sends('metadata: what is not there is rejected; a link becomes a task for others, too'),
  'The SHA-1 of the assembled bytes MUST equal': { test: 'webtorrent/parsed-torrent.test.ts', title: 'metadata from a peer' },
  'if a peer ever sends two different ones, the receiver MUST close': { row: 'two different digests' },
  'MUST close connections to peers that lack the extension bit': { row: 'an extended handshake without `ut_bitworker`' },
  'Unknown keys MUST be ignored, whatever their values': { row: 'unknown keys in a `ut_bitworker` message' },
  'Keys other than `task` MUST NOT be sent before': sends('the snapshot: results of all pieces, in messages that are not too long; bits once; no have before'),
  'MUST be sent before the `have` of that piece': sends('the result of a piece comes before its have'),
  'then the result MUST be sent, since it ends the claim': { test: 'peers/neighbours.test.ts', title: 'a claim ends with its result even if the peer was as fast' },
  'it MUST be able to upload them': sends('the snapshot: results of all pieces, in messages that are not too long; bits once; no have before'),
  'MUST NOT announce a different result for the same piece': { test: 'peers/neighbours.test.ts', title: 'a piece that is stored again is announced with its latest result' },
  'A message MUST NOT be longer than 65 536 bytes': { test: 'ut_bitworker/wire.test.ts', title: 'a large snapshot is split, and every have follows all of its results' },
  'all of it MUST be ignored': state('a violation is ignored as a whole'),
  'with *that same* size and digest': { test: 'swarm/swarm.test.ts', title: 'a command need not be deterministic' },
  'MUST NOT exceed the size': sends('requests: within the size, in steps of 16 KiB, and no more than reqq'),
  'MUST NOT be combined with blocks of another result': { test: 'download/downloader.test.ts', title: 'a large piece that is fetched from one peer alone, which leaves' },
  'MUST check the SHA-256 of the whole piece': { test: 'swarm/hostile.test.ts', title: 'wrong data: a strike, a ban, and the task is finished from others' },
  'MUST NOT conclude that the result is right': { why: 'of what is believed, not of the wire: test/verification/' },
  'MUST NOT take the number of peers or keys': { why: 'of what is believed, not of the wire: test/verification/' },
  'MUST NOT hold that against it': { why: 'of what is believed, not of the wire: test/verification/' },
  'MUST NOT attest the right one as well': { test: 'peers/attestation-exchange.test.ts', title: 'a peer attests one result of a piece, also after a restart' },
  'MUST NOT claim what it neither computes nor is about to compute': { test: 'session/compute-slots.test.ts', title: 'a piece chosen for a slot that is late is released' },
  'A claim that ends without a result MUST be released': sends('claims: made before, released when they end without a result, and when they lose'),
  'Before a lapsed claim is made again': state('our claim that lapsed is released before it is made again'),
  'MUST NOT claim a piece whose result it has announced': { test: 'session/compute-slots.test.ts', title: 'a piece that was just computed is not chosen again' },
  'MUST release its claim, towards all its peers': sends('claims: made before, released when they end without a result, and when they lose'),
  'A relayed claim or backup MUST NOT be relayed again': sends('a relayed claim is not relayed again, and is withdrawn when it ends'),
  'a `withdrawals` record MUST be sent': sends('a relayed claim is not relayed again, and is withdrawn when it ends'),
  'which MUST be new for each connection': { test: 'peers/attestation-exchange.test.ts', title: 'who has proved its key, and who has not' },
  'MUST NOT be taken for one to the owner of the key': { test: 'peers/attestation-exchange.test.ts', title: 'who has proved its key, and who has not' },
  'MUST NOT be sent to a peer that has not sent `key`': { test: 'peers/attestation-exchange.test.ts', title: 'a peer without a key is sent nothing of this' },
  'MUST NOT be sent to a peer whose handshake lacks `batches`': { test: 'peers/attestation-batches.test.ts', title: 'who reads no batches is sent signatures of single results' },
  'MUST attest at most one result of a piece': { test: 'peers/attestation-exchange.test.ts', title: 'a peer attests one result of a piece, also after a restart' },
  'A signature MUST be checked before': { test: 'peers/attestation-exchange.test.ts', title: 'wrong signatures: ignored, and after three the connection is closed' },
  'MUST NOT send more than 512 attestations at once': { test: 'peers/attestation-exchange.test.ts', title: 'no more attestations than the limits allow, and the rest when they are asked for' },
  'and the receiver MUST NOT show them': state('a failure is told once, without control characters'),
  'A receiver MUST NOT compute, claim, request or believe anything differently': { test: 'session/failure-exchange.test.ts', title: 'what peers tell is reported, bounded, and changes nothing' },
  'on the strength of announcements alone': { test: 'swarm/seal.test.ts', title: 'who has sealed tells the others, who fetch nothing' },
  'MUST close the connection at the third violation': { test: 'docs/ut-bitworker.test.ts', title: 'at the third violation the connection is closed' },
  '*close* means that the connection MUST be closed at once': { why: 'says what the words of the table mean, which is played row by row' },
  'an implementation MUST ask for the second one': { test: 'cli/run.test.ts', title: 'run does not run a command without consent' }
}

const played = (file: string, title: string): Must => ({ test: file, title })

/** Of docs/task-file.md. */
export const TASK_MUSTS: Record<string, Must> = {
  'A task file MUST be canonical bencode': played('task/errors.test.ts', 'bad task files'),
  'Exactly one of `length` and `files` MUST be there': played('task/errors.test.ts', 'bad task files'),
  'Exactly one of `data`, `info hash` and `task` MUST be there': played('docs/task-file.test.ts', 'vectors'),
  'MUST refuse the task if an entry breaks a rule': played('task/inputs.test.ts', 'bad inputs'),
  'MUST refuse a task whose embedded table is not so': played('task/inputs.test.ts', 'bad inputs'),
  'MUST NOT use offsets that go backwards': played('inputs/slices.test.ts', 'a table that lies'),
  'have the SHA-1 and the SHA-256 of the entry': played('inputs/metainfo.test.ts', 'metadata that is refused'),
  'MUST have the task digest of the entry': played('swarm/stages.test.ts', 'another task than the one that is meant, and what is not there'),
  'MUST NOT run its commands unless that was decided for it': played('swarm/stages.test.ts', 'an earlier task is only downloaded where nobody has it computed'),
  'MUST refuse an input whose task is one of those that it is read for': played('swarm/stages.test.ts', 'tasks that need each other, and too many'),
  'for which more than 16 tasks in a row are needed': played('swarm/stages.test.ts', 'tasks that need each other, and too many'),
  'Its paths MUST be': played('inputs/metainfo.test.ts', 'metadata that is refused'),
  'with an `attr` that is no text MUST be refused': played('inputs/metainfo.test.ts', 'metadata that is refused'),
  "MUST refuse names that a work item's environment has": played('docs/task-file.test.ts', 'names that no column may have'),
  'A peer that does not have all of it MUST NOT run': played('cli/needs.test.ts', 'a machine that cannot compute still downloads and seeds'),
  'A reader MUST refuse a key as': played('task/verifying.test.ts', 'what cannot be verified with is refused'),
  'MUST refuse a task whose pattern has no `%d`': played('task/output-pattern.test.ts', 'patterns that are refused'),
  'A peer MUST NOT let commands use a GPU unless its user': played('swarm/gpu.test.ts', 'a task uses a GPU if the user allows it, and only if it says that it needs one'),
  'Values of another form MUST be refused': played('task/needs.test.ts', 'needs of another form'),
  'A writer MUST write version 1': played('task/inputs.test.ts', 'tasks without inputs are as they were'),
  'say nothing about the output, and MUST be ignored': played('task/unsupported.test.ts', 'keys outside of `bitworker` say nothing about the output'),
  'with one of these the task MUST be refused': played('task/errors.test.ts', 'bad task files'),
  'In the root dictionary: they MUST be ignored': played('task/unsupported.test.ts', 'keys outside of `bitworker` say nothing about the output'),
  'A reader MUST refuse the whole task if a name': played('task/errors.test.ts', 'bad names'),
  'for which the whole file MUST be refused': played('task/signature.test.ts', 'malformed signatures'),
  'MUST NOT make finished files of the parts': played('task/unsupported.test.ts', 'it can be downloaded and passed on; a later version makes its files'),
  'It MUST say what it does not know': played('task/unsupported.test.ts', 'the command line says so, asks nothing and runs nothing'),
  'MUST pass on no other variable of its own': played('docs/task-file.test.ts', 'the variables that a command finds'),
  'MUST NOT be taken for the output': { why: 'of the store and its executor: test/store/compute-store.test.ts, test/executor/compliance.test.ts, test/executor/confinement.test.ts play it in each tier' },
  'Another peer MUST NOT run it unless its user asks': played('cli/complete-by.test.ts', 'create --complete-by author'),
  'A reader MUST refuse another value, and the key without a complete command': played('task/task.test.ts', 'which machine runs the complete command'),
  'The parts MUST be readable': played('store/finish-file.test.ts', 'the environment of a complete command'),
  'It MUST be a whole input whose torrent is a single file': played('task/inputs.test.ts', 'the root of a task'),
  'A peer MUST refuse the input torrent if': played('inputs/metainfo.test.ts', 'metadata that is refused'),
  'a peer MUST NOT use an archive that has': played('inputs/root-unpack.test.ts', 'what is unsafe is refused, each in one line, and nothing gets out'),
  'MUST bound how much it unpacks': played('inputs/root-unpack.test.ts', 'it stops at its limits'),
  'It MUST NOT use a root that was not unpacked completely': played('inputs/root-cache.test.ts', 'what is not whole is not used'),
  'Other parameters MUST be ignored': played('webtorrent/torrent-id.test.ts', 'only parameters that a magnet link has reach the torrent'),
  'A reader MUST refuse a link of more than 65 536 characters': played('connections/wire-limits.test.ts', 'magnet links that would fill the memory are refused'),
  'whatever else comes for it': played('swarm/trust.test.ts', 'a task without the signature that the link promises is refused'),
  'It MUST be canonical bencode and have the info-hash': played('webtorrent/parsed-torrent.test.ts', 'metadata from a peer'),
  'A reader MUST refuse, as a whole': played('docs/task-file.test.ts', 'vectors'),
  'To open a task file, or to join its swarm, MUST NOT run anything': played('swarm/swarm.test.ts', 'adding alone runs nothing'),
  'A peer that computes MUST confine commands': { why: 'test/executor/confinement.test.ts has the table of escapes' }
}

/**
 * Each sentence of the document with MUST is in the table, and all that the table names is there. `rows` are those that
 * are played.
 */
export function checkMusts (
  t: Test, document: string, musts: Record<string, Must>, rows: Record<string, unknown> = {}
): void {
  const sentences = sentencesWith(document, /\bMUST\b/).filter(sentence => !sentence.includes('"MUST NOT"'))
  for (const sentence of sentences) {
    const found = Object.keys(musts).filter(words => sentence.includes(words))
    t.equal(found.length, 1, `${found.length === 0 ? 'NEW, to be played or listed' : found[0]}: ${sentence}`)
  }
  for (const [words, { row, test: file, title, why }] of Object.entries(musts)) {
    t.equal(sentences.filter(sentence => sentence.includes(words)).length, 1, `still in the document: ${words}`)
    if (row !== undefined) t.ok(row in rows, `row: ${row}`)
    if (file !== undefined) t.ok(readFileSync(`test/${file}`, 'utf8').includes(`'${title}'`), `${file}: ${title}`)
    t.ok((row ?? file ?? why) !== undefined, 'played or listed')
  }
}

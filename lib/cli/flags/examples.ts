/** The examples at the end of each command's help. */

/** By command. */
export const EXAMPLES: Record<'create' | 'try' | 'run' | 'info' | 'keygen' | 'sign' | 'trust' | 'tracker' | 'doctor', string> = {
  create: `
Examples:
  The first hundred squares, one piece each:
    bitworker create --name squares --parts 100 --command 'echo $((PIECE_IDX * PIECE_IDX))'

  Two files of 8 and 16 parts, each compressed when its parts are there:
    bitworker create --name frames --file left.gz:8 --file right.gz:16 \\
      --command './render "$FILE_IDX" "$PART_IDX"' --complete-command 'cat $PART_LIST | gzip > "$FILE"'

The command sees PIECE_IDX, FILE_IDX, PART_IDX, PIECE_COUNT, PART_COUNT, FILE, PIECE_LENGTH and TASK_NAME.
The complete command sees FILE (where to write), PART_LIST, PART_LIST_FILE, PART_DIR, PART_COUNT and FILE_IDX.
Files that it needs are not part of the task: each peer has to show the same ones by run --bind, which nobody checks.`,
  try: `
Examples:
  The last piece of a task:
    bitworker try squares.bitworker --piece 99

  A task that a link names; its command is shown, and you are asked:
    bitworker try 'magnet:?xt=urn:btih:…' --piece 3

  A command, before there is a task; its output goes to a file:
    bitworker try --command 'seq $PIECE_IDX 100 | gzip' --piece 7 > piece.gz

What the command prints goes to stdout, everything else to stderr. Exit code 1: the command failed.
Events of --json: sandbox, tried, failed, error.`,
  run: `
Examples:
  Help with a task, after a look at its command:
    bitworker run squares.bitworker

  From a magnet link, four pieces at a time, into a folder of its own, without a question:
    bitworker run 'magnet:?xt=urn:btih:…' -j 4 -o results --yes

  Only fetch what others computed, then leave:
    bitworker run squares.bitworker --no-compute --exit

  In a private swarm (see bitworker tracker --help):
    bitworker run squares.bitworker --announce http://192.0.2.7:8000/announce --dht-bootstrap 192.0.2.7:20000

  Compute, seed for an hour, or until twice the size was uploaded, and leave:
    bitworker run squares.bitworker --seed-time 60 --seed-ratio 2

With --exit a run also ends (exit code 1) when what is missing failed here and, for ten seconds, nothing comes from other
peers and none of them computes.
A peer that leaves by itself first waits, up to ten minutes, until each connected peer has the pieces that only it has.
Exit codes: 0 done, 1 it failed, 2 it was refused before work began (usage, consent, input), 130 interrupted.
Events of --json, with their fields: docs/json.md.
The command runs in a sandbox: without network, in an empty folder, within limits. Where there is none, nothing is
computed; bitworker doctor says how to get one. --bind PATH shows the command a file or folder of yours, read-only.`,
  info: `
Examples:
  bitworker info squares.bitworker
  bitworker info --json 'magnet:?xt=urn:btih:…'`,
  keygen: `
Examples:
  bitworker keygen --label 'Ada Lovelace'

The secret key is readable by you alone (0600) and has no passphrase: whoever has it can sign in your name.`,
  sign: `
Examples:
  bitworker sign squares.bitworker
  bitworker sign old.rbw -o new.bitworker

A signature covers all that determines the output: command, names, sizes, time limit. Trackers, comment, author and date
are not covered. The magnet link pins you as the signer: a task without your signature is refused.`,
  trust: `
Examples:
  Whatever Ada signs, until the end of the year, if it takes at most 100 hours:
    bitworker trust add ada.pub --label Ada --expires 2027-01-01 --max-hours 100

  A key that was stolen:
    bitworker trust add 3f1c… --deny

Compare the key with its owner by another way than the one it came by.`,
  doctor: `
Examples:
  bitworker doctor
  bitworker doctor --json --port 6881`,
  tracker: `
Examples:
  For your own network:
    bitworker tracker --port 8000 --dht-port 20000

  For tests on this machine alone, on any free ports:
    bitworker tracker --host 127.0.0.1 --port 0 --dht-port 0 --json`
}

/** The examples at the end of each command's help. */

/** By command. */
export const EXAMPLES: Record<
  'create' | 'try' | 'run' | 'info' | 'seal' | 'keygen' | 'sign' | 'trust' | 'tracker' | 'doctor',
  string
> = {
  create: `
Examples:
  The first hundred squares, one per piece:
    bitworker create --name squares --parts 100 --command 'echo $((PIECE_IDX * PIECE_IDX))'

  Two files of 8 and 16 parts, each compressed when its parts are there:
    bitworker create --name frames --file left.gz:8 --file right.gz:16 \\
      --command './render "$FILE_IDX" "$PART_IDX"' --complete-command 'cat $PART_LIST | gzip > "$FILE"'

  A script for all pieces, and a file of a folder for each:
    bitworker create --name thumbs --input resize.sh --input-per-part frames/ --command 'resize.sh "$INPUT"'

  A script, run once for each row of a table; the values are in variables with the names of the columns:
    bitworker create --name sweep --script sim.py --params grid.csv

  All combinations of two lists, the last of which varies fastest; a value is in ENTRY1, the other in ENTRY2:
    bitworker create --name pairs --command 'echo "$ENTRY1$ENTRY2"' ::: a b ::: 1 2 3

The command sees PIECE_IDX, FILE_IDX, PART_IDX, PIECE_COUNT, PART_COUNT, FILE, PIECE_LENGTH and TASK_NAME.
The complete command sees FILE (where to write), PART_LIST, PART_LIST_FILE, PART_DIR, PART_COUNT and FILE_IDX.
Inputs are part of the task: its info-hash covers them. Small ones travel in the task file, others are torrents of their own.
Of a part of the input, INPUT is the path, and it is standard input, too; with one entry a piece, ENTRY has it.
What run --bind shows is not part of the task: every peer must bind the same, which BitWorker does not check.`,
  try: `
Examples:
  The last piece of a task:
    bitworker try squares.bitworker --piece 99

  A task from a link; its command is shown, and you are asked first:
    bitworker try 'magnet:?xt=urn:btih:…' --piece 3

  A command without a task; its output goes to a file:
    bitworker try --command 'seq $PIECE_IDX 100 | gzip' --piece 7 > piece.gz

What the command prints goes to stdout, everything else to stderr. Exit code 1: the command failed.
Events of --json: sandbox, tried, failed, error.`,
  run: `
Examples:
  Take part in a task, after a look at its command:
    bitworker run squares.bitworker

  From a magnet link, four pieces at a time, into a separate folder, without asking:
    bitworker run 'magnet:?xt=urn:btih:…' -j 4 -o results --yes

  Only download what others computed, then exit:
    bitworker run squares.bitworker --no-compute --exit

  In a private swarm (see bitworker tracker --help):
    bitworker run squares.bitworker --announce http://192.0.2.7:8000/announce --dht-bootstrap 192.0.2.7:20000

  Compute, seed for an hour or until twice the size has been uploaded, then exit:
    bitworker run squares.bitworker --seed-time 60 --seed-ratio 2

With --exit, a run also ends (exit code 1) when all missing pieces failed here and, for ten seconds, no piece arrives from
other peers and none of them computes.
Before it exits, a run waits up to ten minutes until all connected peers have the pieces that only it has.
Exit codes: 0 done, 1 failed, 2 refused before work began (usage, consent, input), 130 interrupted.
Events of --json, with their fields: docs/json.md.
The command runs in a sandbox: without network, in an empty folder, within limits. Without a sandbox, nothing is computed;
bitworker doctor says how to get one. --bind PATH shows the command one of your files or folders, read-only.`,
  info: `
Examples:
  bitworker info squares.bitworker
  bitworker info --json 'magnet:?xt=urn:btih:…'`,
  seal: `
Examples:
  Of the files that bitworker run left in this folder:
    bitworker seal squares.bitworker

  Of those in another folder, to stdout:
    bitworker seal squares.bitworker --dir results -o - > squares.torrent

The task must be finished in that folder; else the exit code is 2. Everything in the files was compared with its digest.
Then other clients fetch the files from each run of the task in that folder (bitworker run), and from every run with --seal.
Peers with the same files have the same torrent. Where a command or complete command prints something else on each machine,
they differ: then let one peer seal, and fetch its torrent.`,
  keygen: `
Examples:
  bitworker keygen --label 'Ada Lovelace'

Only you can read the secret key (mode 0600). It has no passphrase: anyone who has it can sign in your name.`,
  sign: `
Examples:
  bitworker sign squares.bitworker
  bitworker sign old.rbw -o new.bitworker

A signature covers the command, names, sizes, inputs, limits and the comment. Trackers, author and date are not covered.
The magnet link pins you as the signer: a task without your signature is refused.`,
  trust: `
Examples:
  Whatever Ada signs, until the end of the year, if it takes at most 100 hours:
    bitworker trust add ada.pub --label Ada --expires 2027-01-01 --max-hours 100

  A key that was stolen:
    bitworker trust add 3f1c… --deny

Compare the key with its owner through another channel than the one it came through.`,
  doctor: `
Examples:
  bitworker doctor
  bitworker doctor --json --port 6881`,
  tracker: `
Examples:
  For your own network:
    bitworker tracker --port 8000 --dht-port 20000

  For tests on this machine only, on any free ports:
    bitworker tracker --host 127.0.0.1 --port 0 --dht-port 0 --json`
}

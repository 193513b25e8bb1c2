/** The examples at the end of each command's help. */

/** By command. */
export const EXAMPLES: Record<
  | 'create' | 'try' | 'run' | 'cat' | 'log' | 'status' | 'pause' | 'resume' | 'finish' | 'verify' | 'info'
  | 'seal' | 'keygen' | 'sign' | 'trust' | 'tracker' | 'doctor',
  string
> = {
  create: `
Examples:
  The first hundred squares, one per piece:
    bitworker create --name squares --parts 100 --command 'echo $((PIECE_IDX * PIECE_IDX))'

  Two files of 8 and 16 parts, each compressed when all its parts are stored:
    bitworker create --name frames --file left.gz:8 --file right.gz:16 \\
      --command './render "$FILE_IDX" "$PART_IDX"' --complete-command 'cat $PART_LIST | gzip > "$FILE"'

  One script for all pieces, and one file of a folder for each:
    bitworker create --name thumbs --input resize.sh --input-per-part frames/ --command 'resize.sh "$INPUT"'

  A script that runs once per row of a table; the values are in variables named after the columns:
    bitworker create --name sweep --script sim.py --params grid.csv

  All combinations of two lists, in ENTRY1 and ENTRY2; the last list varies fastest:
    bitworker create --name pairs --command 'echo "$ENTRY1$ENTRY2"' ::: a b ::: 1 2 3

The command sees PIECE_IDX, FILE_IDX, PART_IDX, PIECE_COUNT, PART_COUNT, FILE, PIECE_LENGTH and TASK_NAME.
The complete command sees FILE (where to write), PART_LIST, PART_LIST_FILE, PART_DIR, PART_COUNT and FILE_IDX.
Inputs are part of the task: its info-hash covers them. Small ones are in the task file, others are torrents of their own.
A piece's own part of an input is at the path INPUT, and is standard input as well; a single entry is also in ENTRY.
Files that run --bind shows are not part of the task: all peers must bind the same ones, which BitWorker does not check.`,
  try: `
Examples:
  The last piece of a task:
    bitworker try squares.bitworker --piece 99

  A piece of a task from a link; shows the command and asks first:
    bitworker try 'magnet:?xt=urn:btih:…' --piece 3

  A command without a task, with its output in a file:
    bitworker try --command 'seq $PIECE_IDX 100 | gzip' --piece 7 > piece.gz

The output of the command goes to stdout, everything else to stderr. The exit code is 1 if the command failed.
The events of --json are sandbox, tried, failed and error.`,
  run: `
Examples:
  Take part in a task, after seeing its command:
    bitworker run squares.bitworker

  From a magnet link, four pieces at a time, into a separate folder, without asking:
    bitworker run 'magnet:?xt=urn:btih:…' -j 4 -o results --yes

  Only download what others have computed, then exit:
    bitworker run squares.bitworker --no-compute --exit

  In a private swarm (see bitworker tracker --help):
    bitworker run squares.bitworker --announce http://192.0.2.7:8000/announce --dht-bootstrap 192.0.2.7:20000

  At night only, with half of the cores, and never on battery:
    bitworker run squares.bitworker --hours 22-7 -j 50% --no-battery --nice 19

  Compute, seed for an hour or until twice the size has been uploaded, then exit:
    bitworker run squares.bitworker --seed-time 60 --seed-ratio 2

The command runs in a sandbox: without network, in an empty folder, within limits. Where no sandbox works, nothing is
computed; bitworker doctor says how to fix that. --bind PATH lets the command read one of your files or folders.
With --exit, a run also ends (exit code 1) when all missing pieces have failed here and, for ten seconds, no piece arrives
from other peers and none of them computes. Before it exits, a run waits up to ten minutes until all connected peers have
the pieces that only it has.
Exit codes: 0 done, 1 failed, 2 refused before work began (usage, consent, input), 3 done, but not up to --verify,
130 interrupted.
docs/json.md lists the events of --json and their fields.`,
  cat: `
Examples:
  Watch a film while the swarm encodes it:
    bitworker cat 'magnet:?xt=urn:btih:…' -o /tmp/film | mpv -

  The first lines of a task's output, then stop:
    bitworker cat squares.bitworker --yes | head

  One file of several, from what others compute:
    bitworker cat frames.bitworker left.gz --no-compute > left.gz

The files are also stored in the folder, as run does. Only accepted results are written (--verify), so bytes that were
written do not change. Progress is shown if stderr is a terminal. When all is written, cat waits like run --exit until
connected peers have the pieces that only it has; when the reader leaves, it stops at once, with exit code 0.
Exit codes: as of run.`,
  status: `
Examples:
  The tasks in this folder:
    bitworker status

  One task in another folder, for a program:
    bitworker status squares.bitworker -o results --json

A run makes a socket in the folder of its task, which only its user can open; status asks it. docs/json.md has the fields.`,
  pause: `
Examples:
  bitworker pause
  bitworker pause results

In the terminal of the run, the key p does the same. Ctrl-Z and fg suspend the whole client.`,
  resume: `
Examples:
  bitworker resume
  bitworker resume results`,
  finish: `
Examples:
  bitworker finish
  bitworker finish results

In the terminal of the run, the key f does the same. The run ends with exit code 130, or 0 if the task is done then.`,
  verify: `
Examples:
  Is at most one piece in twenty wrong? Checks 60 pieces drawn by lot:
    bitworker verify squares.bitworker

  Every piece, and a right one in place of each wrong one:
    bitworker verify squares.bitworker -o results --all --repair

  A copy of the files and of NAME.results.json, on any machine:
    bitworker verify squares.bitworker -o copy --all

If the task has a verify command, it judges the pieces. Otherwise, a piece is wrong if this machine computes something
else for it (twice, to be sure), or, with a compare command, something that this command does not find the same. The check
says how many of all pieces are wrong at most, with 95 % certainty. With --all, the complete command makes its files again
as well. Commands run in a sandbox, as in bitworker run, and the inputs of the task must be on this machine.
Exit codes: 0 nothing wrong was found, or all that was wrong is replaced; 1 some pieces could not be checked; 2 refused
before work began; 3 pieces or files are wrong, or the results cannot be compared; 130 interrupted.`,
  log: `
Examples:
  Every attempt, in this folder:
    bitworker log squares.bitworker

  The failures of pieces that are still missing, here and at other peers:
    bitworker log squares.bitworker --failed

  Everything about piece 12 of the task in another folder:
    bitworker log results 12

CPU and MEM are measured now and then while a command runs: short ones have none. WHERE is the machine that computed a
piece or gave it up; what others say of their failures is not proved. The oldest attempts are dropped when the log has
32 MiB twice.`,
  info: `
Examples:
  bitworker info squares.bitworker
  bitworker info --json 'magnet:?xt=urn:btih:…'`,
  seal: `
Examples:
  Seal the files of bitworker run in this folder:
    bitworker seal squares.bitworker

  Seal those in another folder, to stdout:
    bitworker seal squares.bitworker --dir results -o - > squares.torrent

The task must be finished in that folder; otherwise the exit code is 2. Every byte is compared with its digest.
Other clients can then download the files from runs of the task in that folder, and from every run with --seal.
Peers with the same files have the same torrent. If a command prints something else on each machine, the torrents differ:
let one peer seal the task, and share that torrent.`,
  keygen: `
Examples:
  bitworker keygen --label 'Ada Lovelace'

Only you can read the secret key (mode 0600). It has no passphrase: anyone who gets it can sign in your name.`,
  sign: `
Examples:
  bitworker sign squares.bitworker
  bitworker sign old.rbw -o new.bitworker

A signature covers command, names, sizes, inputs, limits and comment. It does not cover trackers, author and date.
The magnet link pins you as the signer: a task without your signature is refused.`,
  trust: `
Examples:
  Trust what Ada signs, until the end of the year, if it takes at most 100 hours:
    bitworker trust add ada.pub --label Ada --expires 2027-01-01 --max-hours 100

  Deny a key that was stolen:
    bitworker trust add 3f1c… --deny

Check the key with its owner through another channel than the one that it came through.`,
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

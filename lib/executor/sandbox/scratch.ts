/** Where a command finds itself in the sandbox: its working directory, HOME and TMPDIR. */
export const SCRATCH = '/scratch'
/** Where a sandbox of bwrap has what the command reads. */
export const STDIN = '/stdin'

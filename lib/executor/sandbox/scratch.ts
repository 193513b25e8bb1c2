/** Where a command finds itself in the sandbox: its working directory, HOME and TMPDIR. */
export const SCRATCH = '/scratch'

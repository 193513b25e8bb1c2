/** The command's working directory, HOME and TMPDIR in the sandbox. */
export const SCRATCH = '/scratch'
/** The path of the command's stdin in a bwrap sandbox. */
export const STDIN = '/stdin'

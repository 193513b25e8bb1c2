/** The command's working directory, HOME and TMPDIR in the sandbox. */
export const SCRATCH = '/scratch'
/** The path of the command's stdin in a bwrap sandbox. */
export const STDIN = '/stdin'
/**
 * What a root has of these does not count: a sandbox of bwrap has something of its own there, or nothing. They must be
 * folders: a mount follows links.
 */
export const ROOT_FOLDERS = ['/dev', '/proc', SCRATCH, '/sys', '/tmp'] as const

/** The command's working directory, HOME and TMPDIR in the sandbox. */
export const SCRATCH = '/scratch'
/** The path of the command's stdin in a bwrap sandbox. */
export const STDIN = '/stdin'
/** What a complete command has in a bwrap sandbox beside its working directory: a list of the parts, and a folder. */
export const LIST = '/list'
export const OUTPUT_FOLDER = '/o'
/**
 * What a root has of these does not count: a sandbox of bwrap has something of its own there, or nothing. They must be
 * folders, and files: a mount follows links.
 */
export const ROOT_FOLDERS = ['/dev', OUTPUT_FOLDER, '/proc', SCRATCH, '/sys', '/tmp'] as const
export const ROOT_FILES = [LIST, STDIN] as const

// Whatever is fetched: a server outside cannot have us ask one inside, where it could not ask itself.
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { isLocalAddress } from '../../lib/system/local-address.ts'

const OUTSIDE = '203.0.113.1'
/** $1: a public address; then the command. */
const SETUP = `set -e
ip link set lo up
ip address add "$1/32" dev lo
ip address add 10.9.0.1/32 dev lo
shift
exec "$@"`

test('redirects, in a network that has an address outside', t => {
  const program = fileURLToPath(new URL('../fixtures/redirects.ts', import.meta.url))
  const namespaces = process.getuid?.() === 0 ? ['--net'] : ['--net', '--user', '--map-root-user']
  const { stdout, stderr } = spawnSync(
    'unshare', [...namespaces, 'bash', '-c', SETUP, 'setup', OUTSIDE, process.execPath, program, OUTSIDE],
    { encoding: 'utf8' }
  )
  if (stdout === '') return t.end(stderr)
  for (const [way, outcome] of Object.entries(JSON.parse(stdout) as Record<string, string>)) {
    const isInwards = way.startsWith('outside') && way !== 'outside to outside'
    t.equal(outcome, isInwards ? 'redirected from outside to an address of the local network' : 'a page', way)
  }
  t.end()
})

test('addresses of the local network', t => {
  for (const address of [
    '0.0.0.0', '10.255.255.255', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.31.0.1', '192.168.1.1', '::', '::1',
    'fd00::1', 'fe80::1', '::ffff:10.0.0.1', '::ffff:7f00:1'
  ]) t.ok(isLocalAddress(address), address)
  for (const address of [
    '1.1.1.1', '11.0.0.1', '100.63.0.1', '100.128.0.1', '172.15.0.1', '172.32.0.1', '192.167.0.1', '192.169.0.1',
    '2001:db8::1', '::2', '::ffff:1.1.1.1'
  ]) t.notOk(isLocalAddress(address), address)
  t.end()
})

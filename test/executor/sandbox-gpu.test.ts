// The device nodes of GPUs: which are found, and what a command can do with those that it is given, and without them.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import type { Test } from 'tape'
import { findGpus, gpuMounts, gpusAmong } from '../../lib/executor/sandbox/gpu.ts'
import { USERS, startConfined } from '../helpers/confined.ts'
import type { Confined } from '../helpers/confined.ts'
import { createFolder } from '../helpers/disk.ts'
import { startLandlock } from '../helpers/escapes.ts'

test('GPUs are found by the names of their device nodes', t => {
  const found = (...names: string[]): string[] => {
    const dev = createFolder(t)
    mkdirSync(path.join(dev, 'dri'))
    for (const name of names) writeFileSync(path.join(dev, name), '')
    return findGpus(dev).map(at => path.relative(dev, at))
  }
  t.deepEqual(findGpus('/nowhere'), [])
  t.deepEqual(found('null', 'dri/card0', 'nvidiactl', 'nvidia-uvm', 'nvidia', 'kfd0'), [], 'a display or a helper alone is none')
  t.deepEqual(found('dri/card0', 'dri/renderD128', 'kfd', 'nvidiactl'), ['dri/renderD128', 'kfd', 'nvidiactl'])
  t.deepEqual(
    found('nvidia0', 'nvidia10', 'nvidia-uvm', 'nvidia-uvm-tools', 'nvidia-modeset', 'nvidiactl', 'dxg'),
    ['dxg', 'nvidia-uvm', 'nvidia-uvm-tools', 'nvidia0', 'nvidia10', 'nvidiactl']
  )
  t.deepEqual(gpusAmong(['/dev/nvidia0', '/dev/nvidiactl', '/dev/dri/renderD128']), ['/dev/nvidia0', '/dev/dri/renderD128'])
  t.deepEqual(gpusAmong(['/x']), ['/x'], 'whoever names others knows them')
  t.deepEqual(gpuMounts([]), [])
  t.end()
})

/** A node that reads as zeros, as /dev/zero does; where nobody may make one, a file. For its owner and group only. */
function nodeIn ({ folder }: Confined, uid: number): string {
  const at = path.join(folder, 'gpu')
  if (process.getuid?.() === 0) execFileSync('mknod', [at, 'c', '1', '5'])
  else writeFileSync(at, Buffer.alloc(4))
  chmodSync(at, 0o660)
  // a group like render, of which root's commands are not, unless they are given the node
  if (process.getuid?.() === 0) chownSync(at, uid, uid === 0 ? 54_322 : uid)
  return at
}

const USE = 'head -c 4 "$NODE" | od -An -tx1; echo x 2> /dev/null > "$NODE" && echo written; for f in bus class devices; do ls /sys/$f > /dev/null || echo "no $f"; done; for f in fs firmware kernel; do ls /sys/$f 2> /dev/null; done; if (: > /sys/x) 2> /dev/null; then echo made; fi'
const TRY = 'if (: <> "$NODE") 2> /dev/null; then echo opened; fi; if ls /sys/* > /dev/null 2>&1; then echo seen; fi; echo closed'

async function tryBoth (t: Test, client: Confined, uid: number): Promise<void> {
  const node = nodeIn(client, uid)
  const env = { NODE: node }
  const used = await client.run({ command: USE, env, mounts: gpuMounts([node]) })
  t.deepEqual([used.code, used.stdout], [null, ' 00 00 00 00\nwritten\n'], `a command can use what it is given: ${used.stderr}`)
  for (const nested of client.tier === 'bwrap' ? [false, true] : [false]) {
    const none = await client.run({ command: TRY, env, nested })
    t.deepEqual([none.code, none.stdout], [null, 'closed\n'], `and nothing else: ${none.stderr}`)
  }
}

for (const { name: user, uid } of USERS) {
  test(`as ${user}: device nodes in bwrap`, async t => tryBoth(t, await startConfined(t, uid), uid))

  test(`as ${user}: device nodes in landlock`, async t => {
    const client = await startLandlock(t, uid)
    if (client !== null) await tryBoth(t, client, uid)
  })
}

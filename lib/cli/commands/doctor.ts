/** `bitworker doctor`: checks whether this machine has what computing needs, and says what to do if not. */
import { accessSync, constants } from 'node:fs'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import os from 'node:os'
import { findGroups } from '../../executor/cgroup/groups.ts'
import { detectSandbox } from '../../executor/sandbox/detect.ts'
import { EXIT, explain } from '../output/failure.ts'
import { escapeText, fit } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'

/** The flags as typed. */
export interface DoctorFlags {
  /** 0: any free port */
  port: number
  json: boolean
}

/** The result of one check. */
interface Finding {
  check: 'shell' | 'sandbox' | 'memory' | 'port' | 'discovery'
  /** 'limited': it works, but not as well as it could */
  state: 'ok' | 'limited' | 'missing'
  /** one line */
  message: string
}

// The UDP port is used by uTP and the DHT, the group by local discovery (BEP 14).
const LSD_GROUP = '239.192.152.143'

/** Prints what works. Resolves with exit code 0 if tasks can be computed here, otherwise 1. */
export async function doctor ({ port, json }: DoctorFlags): Promise<number> {
  const out = new JsonOutput(json)
  const findings = [checkShell(), await checkSandbox(), checkMemory(), await checkPort(port), await checkDiscovery()]
  for (const finding of findings) {
    out.emit('check', finding)
    if (!json) process.stdout.write(`${layOut(finding)}\n`)
  }
  const canCompute = findings.every(({ state }) => state !== 'missing')
  out.emit('doctor', { canCompute })
  if (!json)
    process.stdout.write(
      canCompute
        ? 'Tasks can be computed here.\n'
        : 'Tasks can be downloaded and seeded here, but not computed.\n'
    )
  return canCompute ? EXIT.done : EXIT.workFailed
}

function layOut ({ check, state, message }: Finding): string {
  const label = `${check.padEnd(9)}  ${state.padEnd(7)}  `
  return fit(' '.repeat(label.length) + escapeText(message), process.stdout.columns).join('\n').replace(/^ */, label)
}

function checkShell (): Finding {
  try {
    accessSync('/bin/bash', constants.X_OK)
    return { check: 'shell', state: 'ok', message: '/bin/bash' }
  } catch {
    return { check: 'shell', state: 'missing', message: '/bin/bash is missing or cannot be executed. Install bash.' }
  }
}

async function checkSandbox (): Promise<Finding> {
  const { tier, problems } = await detectSandbox()
  const why = problems.join(' ')
  if (tier === 'bwrap') return { check: 'sandbox', state: 'ok', message: tier }
  if (tier === 'none') return { check: 'sandbox', state: 'missing', message: why }
  return { check: 'sandbox', state: 'limited', message: `${tier}. ${why}` }
}

/** How the total memory of a command is limited. */
function checkMemory (): Finding {
  const { place, message } = findGroups()
  if (place !== null) return { check: 'memory', state: 'ok', message }
  return {
    check: 'memory',
    state: 'limited',
    message: `${message} Run as root, or use systemd-run --user --scope -p Delegate=yes bitworker …`
  }
}

async function checkPort (port: number): Promise<Finding> {
  try {
    const tcp = createServer()
    await new Promise<void>((resolve, reject) => { tcp.once('error', reject).listen(port, resolve) })
    const { port: actual } = tcp.address() as { port: number }
    await new Promise(resolve => { tcp.close(resolve) })
    await bindUdp(actual)
    return { check: 'port', state: 'ok', message: port === 0 ? 'any free port, TCP and UDP' : `${port}, TCP and UDP` }
  } catch (err) {
    const reason = explain(err)
    return { check: 'port', state: 'missing', message: reason instanceof Error ? reason.message : String(reason) }
  }
}

/** Only checks whether it could work: sends nothing. */
async function checkDiscovery (): Promise<Finding> {
  const addresses = Object.values(os.networkInterfaces())
    .flatMap(each => each ?? [])
    .filter(({ internal }) => !internal)
  if (addresses.length === 0) {
    return {
      check: 'discovery',
      state: 'limited',
      message: 'This machine has no network connection. Connect it, or name peers with --peer.'
    }
  }
  try {
    await bindUdp(0, LSD_GROUP)
    return { check: 'discovery', state: 'ok', message: 'DHT, trackers, local network' }
  } catch {
    return {
      check: 'discovery',
      state: 'limited',
      message: 'DHT and trackers. The local network does not accept multicast: its peers are found only by --peer or a tracker.'
    }
  }
}

async function bindUdp (port: number, group?: string): Promise<void> {
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => { socket.once('error', reject).bind(port, resolve) })
    if (group !== undefined) socket.addMembership(group)
  } finally {
    socket.close()
  }
}

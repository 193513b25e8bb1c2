/**
 * The GPUs of this machine, for tasks that need one: their device nodes, and what a sandbox shows of the machine so
 * that drivers find them. Called by the code that decides whether a task may use them.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Mount } from '../types.ts'

/** Nodes that compute. Not /dev/dri/card0, which controls the display. */
const GPU = /^(?:dri\/renderD\d+|nvidia\d+|kfd|dxg)$/
/** Nodes that are used beside them, and are nothing alone. */
const HELPER = /^nvidia(?:ctl|-uvm|-uvm-tools)$/
/** Where drivers look for hardware. Not all of /sys, where processes, the firmware and the kernel can be seen, too. */
const SYS = ['/sys/bus', '/sys/class', '/sys/dev', '/sys/devices', '/sys/module']

/** The absolute paths of the device nodes of all GPUs; empty if there is none. @param dev the folder, for tests */
export function findGpus (dev = '/dev'): string[] {
  const names = [...list(dev), ...list(path.join(dev, 'dri')).map(name => `dri/${name}`)]
  if (!names.some(name => GPU.test(name))) return []
  return names.filter(name => GPU.test(name) || HELPER.test(name)).sort().map(name => path.join(dev, name))
}

function list (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** Of these device nodes, those that compute; all if none is known by its name. */
export function gpusAmong (devices: readonly string[]): readonly string[] {
  const known = devices.filter(device => GPU.test(device.replace(/^\/dev\//, '')))
  return known.length > 0 ? known : devices
}

/** The mounts of device nodes, at their own paths, and of what drivers read. */
export function gpuMounts (devices: readonly string[]): Mount[] {
  if (devices.length === 0) return []
  return [
    ...devices.map(device => ({ path: device, at: device, isDevice: true })),
    ...SYS.filter(at => existsSync(at)).map(at => ({ path: at, at }))
  ]
}

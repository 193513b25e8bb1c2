/** Keeps a run within the limits of its machine. */
import os from 'node:os'
import { machineHolds } from '../../control/machine-rules.ts'
import type { Hold, Holds } from '../../control/holds.ts'
import { availableMemory, isOnBattery, loadAverage } from '../../system/machine.ts'
import type { MachineFlags } from '../flags/machine.ts'

const TICK_MS = 1_000

/** Holds work items when the flags say so, until the returned function is called. */
export function watchMachine ({ nice, ...rules }: MachineFlags, holds: Holds): () => void {
  if (nice !== undefined && os.getPriority() < nice) os.setPriority(nice)
  const { hours, load, memfree, battery } = rules
  if (hours === undefined && load === undefined && memfree === undefined && battery) return () => {}
  let last: Hold[] = []
  const look = (): void => {
    const now = new Date()
    const readings = { load: loadAverage(), memoryBytes: availableMemory(), onBattery: isOnBattery() }
    last = machineHolds(rules, readings, now.getHours() * 60 + now.getMinutes(), last)
    holds.set('machine', last)
  }
  look()
  const timer = setInterval(look, TICK_MS).unref()
  return () => { clearInterval(timer) }
}

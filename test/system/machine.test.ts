import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { availableMemory, isOnBattery } from '../../lib/system/machine.ts'
import { createFolder } from '../helpers/disk.ts'

type Supply = Record<string, string>

/** A folder like /sys/class/power_supply. */
function supplies (t: Test, all: Record<string, Supply>): string {
  const folder = createFolder(t)
  for (const [name, files] of Object.entries(all)) {
    mkdirSync(path.join(folder, name))
    for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, name, file), `${text}\n`)
  }
  return folder
}

const battery = (status: string): Supply => ({ type: 'Battery', status })

test('on battery', t => {
  const on = (all: Record<string, Supply>): boolean | null => isOnBattery(supplies(t, all))
  t.equal(on({ AC: { type: 'Mains', online: '0' }, BAT0: battery('Discharging') }), true)
  t.equal(on({ AC: { type: 'Mains', online: '1' }, BAT0: battery('Charging') }), false)
  t.equal(on({ AC: { type: 'Mains', online: '1' }, BAT0: battery('Discharging') }), false, 'a weak power supply')
  t.equal(on({ AC: { type: 'Mains', online: '0' }, BAT0: battery('Unknown') }), true)
  t.equal(on({ C1: { type: 'USB', online: '0' }, C2: { type: 'USB', online: '1' }, BAT0: battery('Charging') }), false)
  t.equal(on({ BAT0: battery('Discharging') }), true)
  t.equal(on({ UPS: { type: 'UPS', status: 'Discharging' } }), true)
  t.equal(on({ AC: { type: 'Mains', online: '1' } }), null, 'no battery')
  t.equal(on({ mouse: { ...battery('Discharging'), scope: 'Device' } }), null, 'that of a mouse')
  t.equal(isOnBattery('/nowhere'), null)
  t.end()
})

test('available memory', t => {
  const file = path.join(createFolder(t), 'meminfo')
  writeFileSync(file, 'MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    8000000 kB\n')
  t.equal(availableMemory(file), 8_000_000 * 1024)
  writeFileSync(file, 'MemTotal: many\n')
  t.equal(availableMemory(file), null)
  t.ok(availableMemory()! > 0, 'of this machine')
  t.end()
})

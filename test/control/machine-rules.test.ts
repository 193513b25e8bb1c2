import test from 'tape'
import type { Hold } from '../../lib/control/holds.ts'
import { machineHolds } from '../../lib/control/machine-rules.ts'
import type { MachineRules, Readings } from '../../lib/control/machine-rules.ts'
import { parseHours, parseSlots } from '../../lib/cli/flags/machine.ts'

const IDLE: Readings = { load: 0, memoryBytes: 2 ** 40, onBattery: false }
const MORE: MachineRules = { battery: true }

function reasons (rules: Partial<MachineRules>, readings: Partial<Readings> = {}, time = '12:00'): string[] {
  const [hour, minute] = time.split(':')
  return machineHolds({ ...MORE, ...rules }, { ...IDLE, ...readings }, Number(hour) * 60 + Number(minute))
    .map(({ reason, running }) => `${reason}: ${running}`)
}

test('hours', t => {
  for (const [hours, inside, outside] of [
    ['22-7', ['22:00', '23:59', '0:00', '6:59'], ['7:00', '12:00', '21:59']],
    ['9:30-12,13-17', ['9:30', '11:59', '13:00', '16:59'], ['9:29', '12:00', '12:59', '17:00', '0:00']],
    ['0-24', ['0:00', '23:59'], []],
    ['18-24', ['18:00', '23:59'], ['0:00', '17:59']]
  ] as const) {
    for (const time of inside) t.deepEqual(reasons({ hours: parseHours(hours) }, {}, time), [], `${hours} at ${time}`)
    for (const time of outside) {
      t.deepEqual(reasons({ hours: parseHours(hours) }, {}, time), [`hours ${hours}: suspend`], `${hours} at ${time}`)
    }
  }
  for (const wrong of ['', '22', '22-', '-7', '25-7', '22-7-9', '9:60-10', '24:01-3', '22-7,', 'a-b', '9:3-10', ':-:']) {
    t.throws(() => parseHours(wrong), /hours of the day/, JSON.stringify(wrong))
  }
  t.end()
})

test('load, memory and battery', t => {
  t.deepEqual(reasons({ load: 1.6 }, { load: 1.5 }), [])
  t.deepEqual(reasons({ load: 1.6 }, { load: 1.6 }), ['load 1.6 or more: finish'])
  t.deepEqual(reasons({ memfree: 2 ** 31 }, { memoryBytes: 2 ** 31 }), [])
  t.deepEqual(reasons({ memfree: 2 ** 31 }, { memoryBytes: 2 ** 31 - 1 }), ['less than 2 GiB of memory available: finish'])
  t.deepEqual(reasons({ battery: false }, { onBattery: true }), ['on battery: suspend'])
  t.deepEqual(reasons({ battery: true }, { onBattery: true }), [])
  const unknown = { load: null, memoryBytes: null, onBattery: null }
  t.deepEqual(reasons({ load: 1, memfree: 1, battery: false }, unknown), [], 'what is unknown holds nothing')
  t.equal(reasons({ hours: parseHours('1-2'), load: 1, memfree: 2 ** 50, battery: false }, { load: 9, onBattery: true }).length, 4)
  t.end()
})

test('at a limit, work does not start and stop all the time', t => {
  let last: Hold[] = []
  const starts = (rules: Partial<MachineRules>, readings: Partial<Readings>): boolean => {
    last = machineHolds({ ...MORE, ...rules }, { ...IDLE, ...readings }, 0, last)
    return last.length === 0
  }
  const loads = [1.9, 2, 1.9, 1.81, 2, 1.79, 1.9, 2]
  t.deepEqual(loads.map(load => starts({ load: 2 }, { load })), [true, false, false, false, false, true, true, false])
  const sizes = [100, 99, 105, 109, 111, 100, 99]
  const free = sizes.map(memoryBytes => starts({ memfree: 100 }, { memoryBytes }))
  t.deepEqual(free, [true, false, false, false, true, true, false])
  t.notOk(starts({ load: 2 }, { load: 2 }))
  t.ok(starts({ memfree: 100 }, { memoryBytes: 105 }), 'one reason says nothing about another')
  t.end()
})

test('a share of the cores', t => {
  t.equal(parseSlots('3'), 3)
  t.equal(parseSlots('1%'), 1, 'at least one')
  t.equal(parseSlots('200%') % 2, 0)
  for (const wrong of ['0', '0%', '%', '-1', '50%%', '1.5']) t.throws(() => parseSlots(wrong), /at least 1/, wrong)
  t.end()
})

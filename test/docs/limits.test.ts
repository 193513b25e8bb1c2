// docs/LIMITS.md and docs/scheduling.md are true: each constant that they name is in the code, with that value.
import { readFileSync } from 'node:fs'
import test from 'tape'
import { constantRows, numberOf, valueInCode } from '../helpers/constants.ts'

for (const [document, least] of [['docs/LIMITS.md', 60], ['docs/scheduling.md', 50]] as const) {
  test(`each constant of ${document} is in the code`, t => {
    const rows = constantRows(readFileSync(document, 'utf8'))
    t.ok(rows.length > least, `${rows.length} constants`)
    for (const row of rows) t.equal(valueInCode(row), numberOf(row), `${row.file}: ${row.name}`)
    t.end()
  })
}

/** Tables of constants in documents, compared with what the code says: `| NAME | value | why | file |`. */
import { readFileSync } from 'node:fs'

/** A row of such a table. */
export interface ConstantRow { name: string, value: string, file: string }

const UNITS: Record<string, number> = {
  KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, ms: 1, s: 1000, min: 60_000, h: 3_600_000
}

/** All rows of a document. */
export function constantRows (document: string): ConstantRow[] {
  return [...document.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \| [^|]+ \| `([^`]+)` \|$/gm)]
    .map(([, name = '', value = '', file = '']) => ({ name, value: value.trim(), file }))
}

/**
 * `10 000`, `64 KiB`, `10 s` as the number in the code; a time in seconds is in seconds there if its name ends with
 * `_S`.
 */
export function numberOf ({ name, value }: ConstantRow): number {
  const [, digits = '', unit = ''] = /^([\d .^]+?) ?([A-Za-z]*)$/.exec(value) ?? []
  const [base = 0, power = 1] = digits.replaceAll(' ', '').split('^').map(Number)
  const scale = UNITS[unit] ?? 1
  return base ** power * (name.endsWith('_S') ? scale / 1000 : scale)
}

/** What the constant is set to: a number, or two with `*`, `**`, `+` or `<<` between them. */
export function valueInCode ({ file, name }: ConstantRow): number {
  const expression = new RegExp(`const ${name} = ([^\\n]+)`).exec(readFileSync(file, 'utf8'))?.[1] ?? ''
  const [, left = '', operator = '', right = ''] =
    /^([\d_.]+)(?: (\*\*?|\+|<<) ([\d_.]+)(?: \* 1024)?)?$/.exec(expression) ?? []
  const [a, b] = [left, right].map(digits => Number(digits.replaceAll('_', ''))) as [number, number]
  switch (operator) {
    case '*': return a * b * (expression.endsWith(' * 1024 * 1024') ? 1024 : 1)
    case '**': return a ** b
    case '+': return a + b
    case '<<': return a << b
    default: return a
  }
}

/** The rows and columns of the table, and what else was looked at. */
import { accuser, dear, late, renewing, share, sleeper, twins } from './attacks.ts'
import type { Attack } from './attacks.ts'
import type { Scenario } from './scenario.ts'

/** A column; of several attacks the one counts that leaves most wrong. */
export const ATTACKS: Record<string, Attack[]> = {
  none: [],
  'best share': [share(0.02), share(0.1), share(0.3), share(1)],
  instant: [share(1, 20)],
  'vouched 5 %': [share(0.05, 1, 2)],
  'fresh names': [renewing({})],
  'fresh pairs': [renewing({ vouchers: 1 })],
  'twins 2/2': [twins(2, 2)],
  'twins 5/5': [twins(5, 5)],
  accuse: [accuser(0, 3)],
  'accuse 3 right': [accuser(3)]
}

type Row = (machines: number) => Partial<Scenario>

const AUDIT = { policy: { kind: 'audit' } } as const

/** A row. */
export const POLICIES: Record<string, Row> = {
  off: () => ({ policy: { kind: 'off' } }),
  audit: () => AUDIT,
  'audit, 1 member': () => ({ ...AUDIT, members: 1 }),
  'audit, members 8 %': machines => ({ ...AUDIT, members: Math.max(1, Math.round(0.08 * machines)) }),
  'quorum 2': () => ({ policy: { kind: 'quorum', count: 2 } }),
  'server, all doubled': () => ({ policy: { kind: 'server', isAdaptive: false } }),
  'server, adaptive': () => ({ policy: { kind: 'server', isAdaptive: true } }),
  'server, quotas': () => ({ policy: { kind: 'server', isAdaptive: true, hasQuotas: true } })
}

/** Lines of their own; the best share where several attacks are named. */
export const MORE: Record<string, Partial<Scenario> & { attacks: Attack[] }> = {
  'sleeper: 10 right, then all wrong': { attacks: [sleeper(10)] },
  'late liars: from 80 %': { attacks: [late(0.8, 20)] },
  'late liars: from 95 %': { attacks: [late(0.95, 20)] },
  'dear pieces only, off': { attacks: [dear(4, 20)], dear: 0.1, policy: { kind: 'off' } },
  'dear pieces only': { attacks: [dear(4, 20)], dear: 0.1 },
  'copiers: 5 copied, 5 lies': { attacks: [renewing({ right: 5, copies: true, lies: 5 })] },
  'half of the honest check nothing, best share': { attacks: ATTACKS['best share']!, idle: 0.5 },
  'no attacker, errors 0.1 %': { attacks: [] },
  'no attacker, errors 1 %': { attacks: [], errors: 0.01 },
  'no attacker, 1 member, errors 1 %': { attacks: [], errors: 0.01, members: 1 },
  ...Object.fromEntries([0.5, 0.6, 0.8].flatMap(attackers => [
    [`f = ${attackers}: best share`, { attackers, attacks: ATTACKS['best share']! }],
    [`f = ${attackers}: instant`, { attackers, attacks: ATTACKS['instant']! }],
    [`f = ${attackers}: fresh pairs, 4 members`, { attackers, attacks: ATTACKS['fresh pairs']!, members: 4 }]
  ]))
}

/** One reader with a sample of its own, among machines that use what they hear of, and pairs that lie about a part. */
export function sampling (machines: number, attackers: number, error: number, part: number): Partial<Scenario> {
  return {
    policy: { kind: 'audit', error },
    idle: 1 - 1 / (machines - Math.round(attackers * machines)),
    attack: renewing({ vouchers: 1, part })
  }
}

/** One swarm from its start until no honest machine has anything left to do. */
import { Verification } from '../../lib/verification/verification.ts'
import type { Policy, SampleStats, VerificationHost } from '../../lib/verification/types.ts'
import { VirtualClock } from '../simulator/clock.ts'
import { branch, lognormal } from '../simulator/random.ts'
import type { Attack } from './attacks.ts'
import { Credulous } from './judge.ts'
import type { Judge } from './judge.ts'
import { Machine } from './machine.ts'
import type { Scenario } from './scenario.ts'
import { ServerWorld, startClient } from './server.ts'
import { PIECE_MS, RIGHT, World } from './world.ts'

/** What the honest machines have in the end: means over them unless said otherwise. */
export interface Outcome {
  seed: number
  /** 0..1: of the pieces; the same by what they take; of the machine that is worst off */
  wrong: number
  wrongByCost: number
  worst: number
  /** 0..1: of how many pieces no result is accepted */
  open: number
  /** all honest computing and what the attackers computed rightly, as a multiple of the pieces' */
  work: number
  /** as a multiple of the time that all machines need for each piece once */
  time: number
  level: number
  /** results drawn by lot, and how many of them were wrong: of all machines */
  drawn: number
  drawnWrong: number
  /** the sample of the first machine, if it wants one */
  sample: SampleStats | null
  /** 0..1: of the pieces of that machine */
  wrongOfFirst: number
  /** pairs of honest machines of which one excluded the other */
  banned: number
  keys: number
  /** pieces that somebody lied about */
  lied: number
}

/** Honest machines that have done all they can. */
interface Honest {
  isDone: () => boolean
  /** the value that each goes by; -1: none */
  readers: ((index: number) => number)[]
  verifications: Verification[]
  /** whether the machine excludes a key */
  excludes: ((key: string) => boolean)[]
}

const TRUSTED_KEY = 'f'.repeat(64)
/** A swarm that is not done then never is: as a multiple of the time that honest machines need alone, and ms */
const PATIENCE = 6
const GRACE_MS = 40 * PIECE_MS
/** Machines start within this time. */
const START_MS = 0.01 * PIECE_MS
const SPEED_SPREAD = 0.3

/** The same scenario and seed give the same outcome. */
export async function simulate (scenario: Scenario, seed: number): Promise<Outcome> {
  const clock = new VirtualClock()
  const random = branch(seed, 0)
  const { policy } = scenario
  const attackers = scenario.attack === null ? 0 : Math.round(scenario.attackers * scenario.machines)
  const speeds = Array.from({ length: scenario.machines }, () => lognormal(random, SPEED_SPREAD))
  const honestSpeeds = speeds.slice(attackers)
  const world = policy.kind === 'server'
    ? new ServerWorld(scenario, clock, random, policy)
    : new World(scenario, clock, random)
  const keys = honestSpeeds.map(() => world.newKey())
  const honest = world instanceof ServerWorld
    ? clientsOf(world, keys, honestSpeeds, scenario)
    : peersOf(world, keys, honestSpeeds, scenario, seed)
  if (scenario.attack !== null) startAttack(world, scenario.attack, speeds.slice(0, attackers))
  // a sample is computed by one machine alone
  const hands = policy.kind === 'audit' && policy.error !== undefined ? 1 : keys.length
  const endMs = PATIENCE * PIECE_MS * world.pieces / hands + GRACE_MS
  await clock.run(honest.isDone, endMs)
  const lots = honest.verifications.map(verification => verification.stats().lots)
  return {
    seed,
    ...wrongOf(world, honest),
    work: world.work / world.totalCost,
    time: clock.now() / PIECE_MS / (world.totalCost / sum(speeds)),
    level: sum(honest.verifications.map(({ level }) => level)) / keys.length,
    drawn: sum(lots.map(({ drawn }) => drawn)),
    drawnWrong: sum(lots.map(({ wrong }) => wrong)),
    sample: honest.verifications[0]?.stats().sample ?? null,
    banned: sum(honest.excludes.map(excludes => keys.filter(key => excludes(key)).length)),
    keys: world.keys,
    lied: world.lied
  }
}

function peersOf (world: World, keys: string[], speeds: number[], scenario: Scenario, seed: number): Honest {
  const verifications: Verification[] = []
  const machines = keys.map((key, i) =>
    new Machine({ world, key, speed: speeds[i]!, errors: scenario.errors, judge: host => judgeOf(i, host) }))
  world.listeners.push(...machines)
  for (const machine of machines) world.clock.post(START_MS * world.random(), () => { machine.start() })
  return {
    isDone: () => machines.every(({ isIdle }) => isIdle),
    readers: machines.map(machine => index => machine.accepted(index)),
    verifications,
    excludes: machines.map(machine => key => machine.isExcluded(key))
  }

  function judgeOf (i: number, host: VerificationHost): Judge {
    const policy = scenario.policy as Policy
    if (policy.kind === 'off' || i >= Math.round(keys.length * (1 - scenario.idle))) return new Credulous(host)
    const verification = new Verification({
      pieceCount: world.pieces,
      policy,
      ownKey: keys[i]!,
      random: branch(seed, 1, i)
    }, host)
    for (const member of keys.slice(0, scenario.members)) verification.setMember(member, TRUSTED_KEY)
    verifications.push(verification)
    return verification
  }
}

function clientsOf (world: ServerWorld, keys: string[], speeds: number[], { errors }: Scenario): Honest {
  for (const [i, key] of keys.entries()) startClient(world, key, speeds[i]!, errors)
  return {
    isDone: () => world.isDone,
    readers: keys.map(() => index => world.value(index)),
    verifications: [],
    excludes: []
  }
}

function startAttack (world: World, attack: Attack, speeds: number[]): void {
  const crew: string[] = []
  for (const speed of speeds) {
    const attacker = attack(world, speed, crew)
    const act = (): void => {
      const ms = attacker.act()
      if (ms < Infinity) world.clock.post(ms, act)
    }
    world.clock.post(START_MS * world.random(), act)
  }
}

function wrongOf (world: World, { readers }: Honest): Pick<Outcome, 'wrong' | 'wrongByCost' | 'wrongOfFirst' | 'worst' | 'open'> {
  let open = 0
  let cost = 0
  const wrong = readers.map(reader => {
    let count = 0
    for (let index = 0; index < world.pieces; index++) {
      const value = reader(index)
      if (value < RIGHT) open++
      if (value <= RIGHT) continue
      count++
      cost += world.costs[index]!
    }
    return count
  })
  const all = world.pieces * readers.length
  return {
    wrong: sum(wrong) / all,
    wrongByCost: cost / world.totalCost / readers.length,
    wrongOfFirst: wrong[0]! / world.pieces,
    worst: Math.max(...wrong) / world.pieces,
    open: open / all
  }
}

function sum (values: number[]): number { return values.reduce((total, value) => total + value, 0) }

/** What the mutation tests and the campaign share: the plans that are mutated, and what becomes of a mutant. */
import { Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { type Mutant, mutantsOf } from '../../compiler/verify/mutate-plan.ts'
import { provePlan } from '../../compiler/verify/prove-plan.ts'
import { chunkwise, nanoDrafterGraphs, nanoPlan, planOf } from '../support/plans.ts'

/** In phases that sum over ranks, and what comes before and after. */
const aroundSums = /^\w+\.(o|dense\.\w+|expert\.\w+|router)[/ ]/

/** Where a router and what uses its sums stand. */
const aroundRouting = /^\w+\.(router|route|expert\.up)[/ ]/

export interface Case {
  readonly name: string
  readonly plan: Plan
  readonly only?: RegExp
  readonly skip?: RegExp
}

/**
 * nano on 1, 2 and 8 ranks, on 8 with sums in two shots, with a router that stages by chunk, and with its drafter. The drafter's programs are short, and every SM has work in all of their
 * phases, so that most of their waits and meetings are implied by others: those are not mutated.
 */
export const cases = (): Case[] => [
  { name: '1 rank', plan: nanoPlan({ ranks: 1 }) },
  { name: '2 ranks', plan: nanoPlan({ ranks: 2 }) },
  { name: '8 ranks', plan: nanoPlan({ ranks: 8, epilogueWarps: 2 }) },
  {
    name: '8 ranks in two shots',
    plan: nanoPlan({ ranks: 8, epilogueWarps: 2, schedule: { shots: 2 } }),
    only: aroundSums,
  },
  { name: '1 rank, its router staged by chunk', plan: nanoPlan(chunkwise), only: aroundRouting },
  {
    name: '2 ranks with drafter',
    plan: planOf(nanoDrafterGraphs(), { ranks: 2 }).plan,
    skip: /^(commit|draft)_.* (wait|barrier|signal .*: before the work)/,
  },
]

export type Fate = 'refused' | 'excused' | 'missed'

/** `excused`: accepted, and the plan's text says why it may be. */
export function fateOf(mutant: Mutant): { readonly fate: Fate; readonly codes: readonly string[] } {
  const session = new Session()
  provePlan(mutant.plan, { session, ...(mutant.fault && { fault: mutant.fault }) })
  const codes = [...new Set(session.diagnostics.map((d) => d.code))]
  return { codes, fate: codes.length > 0 ? 'refused' : mutant.harmless === undefined ? 'missed' : 'excused' }
}

/** All mutants of all cases, or one of every `stride` from a seeded start. */
export function* mutants(every: number, seed: number): Generator<{ readonly of: string; readonly mutant: Mutant }> {
  let n = seed
  for (const { name, plan, only, skip } of cases()) {
    for (const mutant of mutantsOf(plan)) {
      if (!skip?.test(mutant.name) && only?.test(mutant.name) !== false && n++ % every === 0) yield { of: name, mutant }
    }
  }
}

/**
 * Which faults can be put into a plan at run time: every sync site with each mutation that means something there.
 *
 * Vocabulary: a *mutant* is one site with one mutation (codegen/device/host/mutate.h numbers them); its *step* is the kind
 * of plan step that the site belongs to.
 */
import type { Plan, Step } from '../../compiler/plan/ir.ts'

export const mutations = ['none', 'drop', 'twice', 'late', 'target_up', 'target_down', 'shallow'] as const
export type Mutation = Exclude<(typeof mutations)[number], 'none'>

export interface Mutant {
  readonly site: number
  readonly name: string
  readonly step: string
  readonly mutation: Mutation
}

/** What can go wrong at a step. A wait that waits twice is the same wait: no mutant. */
const faults: Readonly<Record<string, readonly Mutation[]>> = {
  wait: ['drop', 'late', 'target_up', 'target_down'],
  waitLocal: ['drop', 'late', 'target_up', 'target_down'],
  signal: ['drop', 'twice', 'late'],
  signalLocal: ['drop', 'twice', 'late'],
  acquire: ['drop', 'late', 'target_down', 'shallow'],
  commit: ['drop', 'twice', 'late'],
  'commit ring': ['drop', 'twice', 'late', 'target_up', 'target_down'],
  await: ['drop', 'late', 'target_up', 'target_down'],
  release: ['drop', 'twice', 'late'],
  barrier: ['drop', 'twice', 'late'],
  copy: ['drop', 'twice', 'late'],
  send: ['drop', 'twice', 'late'],
  receive: ['drop', 'late'],
  'norm barrier': ['drop', 'twice', 'late'],
  'route barrier': ['drop', 'twice', 'late'],
  control: ['drop', 'twice', 'late'],
}

export function mutantsOf(plan: Plan): readonly Mutant[] {
  const steps = new Map<number, string>()
  const visit = (step: Step): void => {
    if (step.kind === 'loop') for (const s of step.body) visit(s)
    else if ('site' in step) {
      const kind = stepName(step, plan)
      if (kind) steps.set(step.site, kind)
    }
  }
  for (const s of plan.segments)
    for (const p of s.phases) for (const role of Object.values(p.roles)) role.forEach(visit)
  // The round control has sites of its own behind the plan's (codegen/emit/source.ts). At the mailbox a warp waits for
  // the host and for no warp: skipping that wait starts a round of an empty request, which is no fault of order.
  const own = ['round', 'relay', 'mailbox', 'sample']
  for (const i of own.keys()) if (own[i] !== 'mailbox') steps.set(plan.sites.length + i, 'control')
  const name = (site: number) => plan.sites[site] ?? own[site - plan.sites.length]!
  return [...steps].flatMap(([site, step]) =>
    faults[step]!.map((mutation) => ({ site, name: name(site), step, mutation })),
  )
}

/** Undefined: a site that nothing synchronises at. */
function stepName(step: Exclude<Step, { kind: 'loop' }>, plan: Plan): string | undefined {
  switch (step.kind) {
    case 'commit':
      return step.channel === 'ring' ? 'commit ring' : 'commit'
    case 'copyPage':
    case 'copyGroup':
    case 'copySpan':
      return 'copy'
    case 'stage':
      // Warps that hold all of k normalise for themselves; what an earlier phase staged is normalised already; a scale of the sum needs no meeting.
      return step.kept?.role !== 'reuse' &&
        step.product.norm &&
        !step.product.norm.scale &&
        step.product.geometry.parts > 1
        ? 'norm barrier'
        : undefined
    case 'route':
      return 'route barrier'
    case 'finish':
      return plan.sites[step.site]!.includes('send')
        ? 'send'
        : plan.sites[step.site]!.includes('receive')
          ? 'receive'
          : undefined
    case 'gatherLogits':
      return 'receive'
    default:
      return step.kind in faults ? step.kind : undefined
  }
}

export const kindOf = (mutation: Mutation): number => mutations.indexOf(mutation)

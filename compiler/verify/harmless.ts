/**
 * harmless: why a mutant may be right all the same. Each reason is a property of the plan's text, checked here without
 * running anything, so that an accepted mutant is never excused by the prover that accepted it.
 *
 * A reason says that the step may be superfluous in this plan, not that it is: mutants with a reason are still tried, and
 * count as refused or as excused, never as missed.
 */
import type { ChannelName, Domain, PhasePlan, Plan, Step } from '../plan/ir.ts'
import type { Located } from './mutate-plan.ts'
import { chunksOf, chunkTasks, dealtTo, shareOf } from './shares.ts'

type Reason = { readonly harmless?: string }

/** A place of a channel that is free without leave. */
export function freeAnyway(channel: ChannelName, at: Located): Reason {
  if (channel === 'slots') {
    return { harmless: 'routed sums are read before their phase is signalled, and the next use waits for that' }
  }
  const { depth } = at.plan[channel]
  // Compute begins a phase by waiting for others to be over; load does so where it reads what phases have written.
  const begins = channel === 'join' || at.phase.roles.load.some((s) => s.kind === 'wait')
  if (!begins || mostTurns(at) > depth) return {}
  return { harmless: `a phase begins with ${depth} free places in the ${channel}, and no SM uses more in this one` }
}

/** A wait of load's for the table, where it has used up all places of the ring since the last routing: it got them back from compute, which had routed. */
export function routedAnyway(at: Located): Reason {
  const { plan, segment, phase, role } = at
  const before = segment.phases.slice(0, segment.phases.indexOf(phase))
  const since = before.slice(before.findLastIndex((p) => p.roles.compute.some((s) => s.kind === 'route')) + 1)
  const pages = (sm: number): number => since.reduce((n, p) => n + leastPages(p.roles.load, sm, plan.sms), 0)
  const least = Math.min(...Array.from({ length: plan.sms }, (_, sm) => pages(sm)))
  if (role !== 'load' || least < plan.ring.depth) return {}
  return {
    harmless: `since it routed, compute has given back ${least} pages at least on every SM, and the ring has ${plan.ring.depth}`,
  }
}

/** Pages that load hands over however few experts are active: one at least. */
const leastPages = (steps: readonly Step[], sm: number, sms: number): number =>
  steps.reduce((n, s) => {
    if (s.kind === 'loop') return n + leastTurns(s.domain, sm, sms) * leastPages(s.body, sm, sms)
    return n + (s.kind === 'commit' && s.channel === 'ring' ? 1 : 0)
  }, 0)
type LeastRules = {
  readonly [K in Domain['kind']]: (d: Extract<Domain, { kind: K }>, sm: number, sms: number) => number
}
const leastOf: LeastRules = {
  share: (d, sm, sms) => shareOf(d.count, sm, sms),
  owned: () => 0,
  // Loops in it go over one half each: together over one expert at least.
  halves: () => 1,
  activeShare: (d, sm, sms) => dealtTo(sm, d.count, sms),
  activeGroups: () => 0,
  chunkShare: () => 0,
  chunk: () => 0,
  range: (d) => d.count,
}
const leastTurns = (d: Domain, sm: number, sms: number): number =>
  (leastOf[d.kind] as (d: Domain, sm: number, sms: number) => number)(d, sm, sms)

/** Warps that have nobody to meet, or meet again before anybody looks. */
export function aloneAnyway(at: Located): Reason {
  const again = metAgain(at)
  if (again) return { harmless: `the warps meet again in '${again.name}', for which all wait that wait for this phase` }
  if (endsRound(at))
    return { harmless: 'the round ends with the phase, and a round is begun when all warps have left the one before' }
  if (followers(at).every((p) => p.roles[at.role][0]?.kind === 'wait'))
    return { harmless: 'whatever comes next begins with a wait, for which the warps of a role meet' }
  if (keepsPlaces(at))
    return {
      harmless: 'every SM hands over a multiple of the depth of the join: each warp goes on with the places it had',
    }
  const uses = at.siblings.flatMap((s) => (s.kind === 'loop' ? [mostTurns({ ...at, loops: [s] })] : []))
  const dealt = at.role === 'epilogue' && uses.length > 0
  if (!dealt || Math.max(...uses) > 1) return {}
  return { harmless: 'no SM has more than one hand-over in the phase: one warp does everything' }
}

/** Hand-overs are dealt out in turn, and the depth of the join is a multiple of those who take them. */
function keepsPlaces({ plan, role, siblings }: Located): boolean {
  const loops = siblings.flatMap((s) => (s.kind === 'loop' ? [s.domain] : []))
  return (
    role === 'epilogue' &&
    loops.length > 0 &&
    loops.every(
      (d) =>
        d.kind === 'share' &&
        Array.from({ length: plan.sms }, (_, sm) => shareOf(d.count, sm, plan.sms)).every(
          (n) => n % plan.join.depth === 0,
        ),
    )
  )
}

/** The phases that the role may run next in a round: in its segment, or in the entries that follow. */
function followers({ plan, segment, phase, role }: Located): PhasePlan[] {
  const worksIn = (phases: readonly PhasePlan[]): PhasePlan | undefined => phases.find((p) => p.roles[role].length > 0)
  const next = worksIn(segment.phases.slice(segment.phases.indexOf(phase) + 1))
  if (next) return [next]
  const found = new Set<PhasePlan>()
  plan.entries.forEach((e, i) => {
    if (plan.segments[e.segment] !== segment) return
    for (let at = i; !endsPass(plan, at); at++) {
      const first = worksIn(plan.segments[plan.entries[at + 1]!.segment]!.phases)
      if (!first) continue
      found.add(first)
      break
    }
  })
  return [...found]
}

/** The target's pass is a round of its own, and so are the drafter's programs together. */
function endsPass(plan: Plan, entry: number): boolean {
  const [here, next] = [plan.entries[entry]!, plan.entries[entry + 1]]
  return !next || (here.program === 0 && next.program !== 0)
}

/** Whether nothing follows in a round for which the role would have to have met. */
const endsRound = (at: Located): boolean => followers(at).length === 0

/** The next phase in which the role meets and signals, if everybody who waits for this one waits for that one too. */
function metAgain(at: Located): PhasePlan | undefined {
  const { phases } = at.segment
  const next = phases.slice(phases.indexOf(at.phase) + 1).find((p) => p.roles[at.role].length > 0)
  if (!next || next.signals !== at.role || !next.roles[at.role].some((s) => s.kind === 'barrier')) return undefined
  const waits = (steps: readonly Step[], counter: string): boolean =>
    steps.some((s) => s.kind === 'wait' && s.counter === counter)
  const everybody = at.plan.segments
    .flatMap((s) => s.phases)
    .flatMap((p) => Object.values(p.roles))
    .filter((steps) => waits(steps, at.phase.counter))
    .every((steps) => waits(steps, next.counter))
  return everybody ? next : undefined
}

/** A wait that only SMs without work depend on, and they have been ordered before. */
export function orderedAnyway(at: Located): Reason {
  const { segment, phase, role } = at
  const once = segment.phases.filter((p) => p.counter === phase.counter).length === 1
  if (!once) return {}
  if (!phase.roles[role].every((s) => !touches(s) || handedOver(s))) return {}
  const earlier = segment.phases
    .slice(0, segment.phases.indexOf(phase))
    .find((p) => waitsIn(p.roles[role]) || p.roles[role].some((s) => handedOver(s) && always(s, at)))
  return earlier
    ? {
        harmless: `${role} touches only what it is handed in the phase, and '${earlier.name}' has ordered it on every SM`,
      }
    : {}
}

const waitsIn = (steps: readonly Step[]): boolean => steps.some((s) => s.kind === 'wait')
const hasAccess = (s: Step): boolean => ('reads' in s && !!s.reads?.length) || ('writes' in s && !!s.writes?.length)
const touches = (s: Step): boolean => (s.kind === 'loop' ? s.body.some(touches) : hasAccess(s) && s.kind !== 'stage')
/** A loop whose every turn begins with what another role of the SM hands over. */
const handedOver = (s: Step): boolean => {
  if (s.kind !== 'loop') return false
  const handed = s.body.findIndex((b) => b.kind === 'await' || (b.kind === 'loop' && handedOver(b)))
  return handed >= 0 && !s.body.slice(0, handed).some(touches)
}

/** Whether a loop has a turn on every SM, whatever the data decides. */
const always = (s: Step, at: Located): boolean =>
  s.kind === 'loop' && s.domain.kind === 'share' && s.domain.count >= at.plan.sms

/** Most turns that the loops around a step take on any SM. */
function mostTurns(at: Located): number {
  const { plan, loops } = at
  const onSm = (sm: number): number => loops.reduce((n, l) => n * most(l.domain, sm, at), 1)
  return Math.max(...Array.from({ length: plan.sms }, (_, sm) => onSm(sm)))
}

type MostRules = {
  readonly [K in Domain['kind']]: (d: Extract<Domain, { kind: K }>, sm: number, at: Located) => number
}
const active = (experts: number, { plan }: Located): number => Math.min(experts, plan.route.maxActive)
const mostOf: MostRules = {
  share: (d, sm, { plan }) => shareOf(d.count, sm, plan.sms),
  owned: (d, sm, { plan }) => shareOf(d.count, sm, plan.sms),
  // Loops in it go over one half each: together at most over all experts.
  halves: () => 1,
  activeShare: (d, sm, at) => dealtTo(sm, active(d.experts, at) * d.count, at.plan.sms),
  activeGroups: (d, _sm, at) => Math.ceil(active(d.experts, at) / d.size),
  chunkShare: (d, sm, { plan }) =>
    Math.max(...Array.from({ length: chunksOf(d, plan) }, (_, i) => shareOf(chunkTasks(d, i + 1, plan), sm, plan.sms))),
  chunk: (d) => d.spans,
  range: (d) => d.count,
}
const most = (d: Domain, sm: number, at: Located): number =>
  (mostOf[d.kind] as (d: Domain, sm: number, at: Located) => number)(d, sm, at)

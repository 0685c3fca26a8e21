/**
 * per-phase: the plan of the control, in which every phase is a kernel of its own: the same tile ops, pages, roles and
 * channels, without what only a resident kernel needs.
 *
 * What goes: waits and signals of counters and locals, because a phase begins when the one before has ended everywhere; and
 * inputs that stay staged for a later phase: in registers, which stages them again, at once where the plan stages by chunk, and rows that
 * communicate brings into shared memory, which compute then stages for itself. Load has the active experts from the table, which is there.
 * Invariants: arithmetic and its order are untouched, so both engines give the same bits; sites keep their numbers.
 */
import { type PhasePlan, type Plan, type ProductPlan, roleNames, type Step } from './ir.ts'

const dropped: ReadonlySet<Step['kind']> = new Set([
  'wait',
  'signal',
  'waitLocal',
  'signalLocal',
  'bringRows',
  'findActive',
])

export const perPhase = (plan: Plan): Plan => ({
  ...plan,
  segments: plan.segments.map((s) => ({ ...s, phases: s.phases.map(alone) })),
})

const alone = (phase: PhasePlan): PhasePlan => ({
  ...phase,
  roles: {
    load: strip(whole(phase.roles.load)),
    compute: strip(whole(phase.roles.compute)),
    epilogue: strip(whole(phase.roles.epilogue)),
    communicate: strip(whole(phase.roles.communicate)),
  },
})

/** What is staged by chunk is staged as a whole, so that sums have their scale: routing, another kernel, could not give it to them. */
function whole(steps: readonly Step[]): readonly Step[] {
  const at = steps.findIndex((s) => s.kind === 'stage' && s.product.byChunk)
  const tiles = steps.findIndex((s) => s.kind === 'loop')
  const inOrder =
    at < 0 ? steps : [...steps.slice(0, tiles), steps[at]!, ...steps.slice(tiles).filter((s) => s !== steps[at])]
  return inOrder.filter((s) => !ofChunks.has(s.kind)).map(ofWhole)
}
const ofChunks: ReadonlySet<Step['kind']> = new Set(['stageChunk', 'takeScale'])
function ofWhole(s: Step): Step {
  if (s.kind === 'loop') return { ...s, body: whole(s.body) }
  if (s.kind === 'choose') {
    const { scaled: _, ...rest } = s
    return rest
  }
  if (!('product' in s) || !(s.product.byChunk || s.product.scaleLeft)) return s
  const { byChunk: _, scaleLeft: __, ...product } = s.product
  return { ...s, product }
}

const strip = (steps: readonly Step[]): Step[] =>
  steps.flatMap((s): Step[] => {
    if (s.kind === 'waitLocal' && s.rows) return stagedAlone(s.rows, s.site)
    if (dropped.has(s.kind)) return []
    if (s.kind === 'loop') {
      const body = strip(s.body)
      return body.length > 0 ? [{ ...s, body }] : []
    }
    if (s.kind !== 'stage' || !s.kept) return [s]
    const { kept: _, ...rest } = s
    return [rest]
  })

const stagedAlone = (product: ProductPlan, site: number): Step[] => [
  { kind: 'stageRows', product, reads: [{ region: product.source, part: 'all', ofHalf: true }] },
  { kind: 'barrier', site },
]

/** Whether a phase's load role needs nothing that a phase before it leaves behind: it fetches weights, whatever was routed. */
export const loadsAhead = (phase: PhasePlan): boolean =>
  phase.roles.load.length > 0 && workOf(phase.roles.load).every((s) => s.kind !== 'copySpan' && !routed(s))

/** Whether any role looks at the route table, and whether the phase makes it. */
export const usesTable = (phase: PhasePlan): boolean => roleNames.some((r) => workOf(phase.roles[r]).some(routed))
export const makesTable = (phase: PhasePlan): boolean => workOf(phase.roles.compute).some((s) => s.kind === 'route')

const workOf = (steps: readonly Step[]): Step[] => steps.flatMap((s) => (s.kind === 'loop' ? workOf(s.body) : [s]))
/** Sums over ranks belong to no expert any more. */
const routed = (s: Step): boolean => 'product' in s && s.product.routed !== undefined && !ofAllRanks(s)
const ofAllRanks = (s: Step): boolean =>
  s.kind === 'addParts' || s.kind === 'spread' || (s.kind === 'finish' && s.elements === 'after')

/**
 * prove-rows: rows that are read from shared memory have been put there, either half of them, for this execution.
 *
 * Checked for every routed `down` whose input an SM shares: compute stages it itself in the phase, or waits there for a
 * local which an earlier phase of the segment signals once behind bringing it. That nobody reads too early or writes too
 * late is prove-order's business.
 */
import type { PhasePlan, ProductPlan, SegmentPlan, Step } from '../plan/ir.ts'
import { noteAt, type Place, type PlanFinding, placeName } from './findings.ts'
import { type Found, stepsOf } from './steps-of.ts'

type BringRows = Extract<Step, { kind: 'bringRows' }>

export function proveRows(segment: SegmentPlan, index: number, report: (finding: PlanFinding) => void): void {
  const phase = segment.phases[index]!
  for (const product of sharing(phase)) {
    const steps = [...stepsOf(phase)]
    const staged = steps.filter(
      (f) => f.step.kind === 'stageRows' && f.step.product.name === product.name && f.byHalves,
    )
    const awaited = steps.flatMap(({ step, byHalves }) =>
      step.kind === 'waitLocal' && step.rows?.name === product.name && byHalves ? [step] : [],
    )
    const before = segment.phases.slice(0, index).flatMap((p) => [...stepsOf(p)])
    const brought = before.filter((f): f is Found & { step: BringRows } => brings(f, product))
    const right = brought.filter(
      (b) => b.byHalves && awaited.some((w) => w.local === b.step.local && w.early === b.step.early),
    )
    if (staged.length === 1 && brought.length === 0) continue
    if (staged.length === 0 && brought.length === 1 && right.length === 1) continue
    const place: Place = { segment: segment.name, phase, role: 'compute' }
    report({
      code: 'TILE2106',
      subject: placeName(place),
      message: `reads the rows of '${product.source}' from shared memory, where they are staged ${staged.length} times and brought ${brought.length} times, ${right.length} of them for a local that it waits for`,
      span: phase.span,
      notes: [noteAt(place, 'once for either half is right')],
      help: 'let compute stage the rows, or communicate bring them and compute wait for that',
    })
  }
}

const brings = ({ step }: Found, product: ProductPlan): boolean =>
  step.kind === 'bringRows' && step.of.name === product.name

/** Products of the phase that read their rows from shared memory. */
function sharing(phase: PhasePlan): ProductPlan[] {
  const found = new Map<string, ProductPlan>()
  for (const { step } of stepsOf(phase))
    if (step.kind === 'multiplyGroup' && step.product.input?.shared) found.set(step.product.name, step.product)
  return [...found.values()]
}

/**
 * Phases as kernels: what the skeleton of the controls (`engine: 'graph'` or `'nccl'`) has in place of role programs: one type a
 * phase with a function a role, what it leaves for a sum over ranks, and the order of entries as host code reads it.
 *
 * Invariant: the functions are those of the resident engine's phases, emitted from the plan that the control's lowering made (engines.ts).
 */

import { type PhasePlan, type Plan, roleNames, type SegmentPlan } from '../../compiler/plan/ir.ts'
import { loadsAhead, makesTable, usesTable } from '../../compiler/plan/per-phase.ts'
import { identifier } from './context.ts'
import { Writer } from './writer.ts'

const typeName = (s: SegmentPlan, p: PhasePlan): string => `Phase_${identifier(s.name)}_${identifier(p.name)}`

export function phaseKernels(plan: Plan, functionOf: (s: SegmentPlan, p: PhasePlan, role: string) => string): string {
  const out = new Writer()
  for (const s of plan.segments) {
    s.phases.forEach((p, index) => {
      out.block(
        `struct ${typeName(s, p)}`,
        () => {
          const flags = { ahead: loadsAhead(p), uses_table: usesTable(p), makes_table: makesTable(p) }
          const list = Object.entries(flags).map(([k, v]) => `${k} = ${v}`)
          out.line(`static constexpr bool ${list.join(', ')};`)
          out.line(`static constexpr int leaves = ${p.leaves ?? 0};`)
          for (const role of roleNames) {
            const body = p.roles[role].length > 0 ? `traced(w, at, ${index}, ${functionOf(s, p, role)});` : ''
            const names = body === '' ? 'Warp&, const At&' : 'Warp& w, const At& at'
            out.line(`TILE_FN static void ${role}(${names}) {${body === '' ? '' : ` ${body} `}}`)
          }
        },
        ';',
      )
    })
  }
  out.line('/** The phases of a segment, in order. */')
  out.block('template <class Visit>\ninline void each_phase(int segment, Visit visit)', () => {
    out.block('switch (segment)', () => {
      plan.segments.forEach((s, i) => {
        out.block(`case ${i}:`, () => {
          for (const p of s.phases) out.line(`visit(${typeName(s, p)}{});`)
          out.line('break;')
        })
      })
      out.line('default: break;')
    })
  })
  out.line("// The tables above are the device's; these are the host program's.")
  const list = (name: string, values: readonly number[]): void => {
    out.line(`constexpr unsigned char ${name}[] = {${values.join(', ')}};`)
  }
  list(
    'order_segment',
    plan.entries.map((e) => e.segment),
  )
  list(
    'order_program',
    plan.entries.map((e) => e.program),
  )
  return out.toString()
}

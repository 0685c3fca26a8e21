/**
 * resolve-prefetch: `while router prefetch next.qkv into l2`, checked against the phases of a model.
 *
 * Rules: both phases exist; what is fetched is the weight of a product that is not routed (which experts' weights come is
 * not known before); it comes later, in the entry that follows (`next.`) or behind the first phase in its own.
 */
import type { Prefetch } from '../../dsl/schedule-ir.ts'
import { didYouMean, type Session } from '../diagnostics/diagnostic.ts'
import type { Phase, PhaseProgram } from '../tile/ir.ts'
import type { PrefetchSchedule } from './schedule.ts'

export function resolvePrefetch(p: Prefetch, program: PhaseProgram, session: Session): PrefetchSchedule | undefined {
  const during = p.phase.value
  const next = p.what.value.startsWith('next.')
  const phase = next ? p.what.value.slice('next.'.length) : p.what.value
  const phases = program.segments.flatMap((s) => s.phases)
  const names = [...new Set(phases.map((x) => x.name))]
  const fetched = [...new Set(phases.filter(isFetched).map((x) => x.name))]
  const legal = fetched.map((n) => (next ? `next.${n}` : n)).join(', ')
  if (!names.includes(during)) {
    const meant = didYouMean(during, names)
    session.report('TILE2053', `there is no phase '${during}' during which something could be fetched`, {
      span: p.phase.span,
      help: meant ? `did you mean '${meant}'?` : `phases of '${program.name}': ${names.join(', ')}`,
    })
    return undefined
  }
  if (!fetched.includes(phase)) {
    const what = names.includes(phase) ? 'has no weights that are known before it' : 'does not exist'
    session.report('TILE2053', `phase '${phase}' ${what}, so nothing of it can be fetched ahead`, {
      span: p.what.span,
      help: `weights that can be fetched ahead: ${legal}`,
    })
    return undefined
  }
  if (!follows(during, phase, next, program)) {
    session.report(
      'TILE2053',
      next
        ? `no layer with '${during}' has one with '${phase}' behind it`
        : `'${phase}' does not come behind '${during}' in any layer`,
      {
        span: p.span,
        help: next ? `'${phase}' without 'next.' means the same layer` : `'next.${phase}' means the layer that follows`,
      },
    )
    return undefined
  }
  return { during, phase, next }
}

const isFetched = (p: Phase): boolean => p.kind === 'product' && p.routed === undefined

function follows(during: string, phase: string, next: boolean, program: PhaseProgram): boolean {
  const { sequence, segments } = program
  const at = (segment: number, name: string): number => segments[segment]!.phases.findIndex((p) => p.name === name)
  return sequence.some((entry, i) => {
    const first = at(entry.segment, during)
    if (first < 0) return false
    const behind = sequence[i + 1]
    return next
      ? behind !== undefined && behind.program === entry.program && at(behind.segment, phase) >= 0
      : at(entry.segment, phase) > first
  })
}

/**
 * Engines: what a plan can become. One is for use, the others are controls, to be compared with: the same functions of the same
 * phases, as kernels of their own. One table: what a kind asks of a plan, and what it makes of it, is its own entry.
 */
import type { Session } from '../compiler/diagnostics/diagnostic.ts'
import type { Plan } from '../compiler/plan/ir.ts'
import { perPhase } from '../compiler/plan/per-phase.ts'
import { splitSums } from '../compiler/plan/split-sums.ts'
import { type ExchangeType, exchangeTypes } from '../dsl/schedule-ir.ts'

export const engineKinds = ['persistent', 'graph', 'nccl'] as const
export type EngineKind = (typeof engineKinds)[number]

interface Engine {
  /** In the head of the source, and beside what was measured. */
  readonly title: string
  /** One kernel that stays; else a kernel a phase. */
  readonly resident: boolean
  /** Whether its phases are those of the plan, one by one, as traces number them. */
  readonly traceable: boolean
  /** Ranks without which it is nothing of its own, of a plan and of those that run. */
  readonly leastRanks: number
  /** What its sums over ranks may be made of. */
  readonly exchanges: readonly ExchangeType[]
  readonly lower: (plan: Plan) => Plan
}

export const engines: Readonly<Record<EngineKind, Engine>> = {
  persistent: {
    title: 'one persistent engine kernel',
    resident: true,
    traceable: true,
    leastRanks: 1,
    exchanges: exchangeTypes,
    lower: (plan) => plan,
  },
  graph: {
    title: 'the control: a kernel a phase in a CUDA graph',
    resident: false,
    traceable: true,
    leastRanks: 1,
    exchanges: exchangeTypes,
    lower: perPhase,
  },
  nccl: {
    title: 'the control with all-reduces: a kernel a phase, and NCCL between them, in a CUDA graph',
    resident: false,
    traceable: false,
    leastRanks: 2,
    // What an exact sum keeps of a number out of range, no all-reduce of integers keeps.
    exchanges: ['f32', 'bf16'],
    lower: (plan) => splitSums(perPhase(plan)),
  },
}

/** Reports why a plan cannot become such an engine. */
export function checkEngine(
  kind: EngineKind,
  { ranks, exchangeAs }: { readonly ranks: number; readonly exchangeAs: ExchangeType },
  session: Session,
): void {
  const { leastRanks, exchanges } = engines[kind]
  const refuse = (why: string, help: string): void => session.report('TILE5108', `engine '${kind}' ${why}`, { help })
  if (ranks < leastRanks) refuse(`sums over ranks, and there is one`, `say how many: --gpus ${leastRanks} or more`)
  else if (!exchanges.includes(exchangeAs))
    refuse(
      `cannot exchange as ${exchangeAs}, as the schedule says`,
      `give one that exchanges as ${exchanges.join(' or ')}: --schedule`,
    )
}

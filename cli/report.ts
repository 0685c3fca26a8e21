/**
 * What a compiled engine will ask of an SM and of the memory: the figures that `tilec compile` prints.
 *
 * Vocabulary: a phase's *floor* is the time that its bytes take at the rate an H200 streams (4.55 TB/s); *one row* is
 * plain decode, *a block* 8 rows. Experts that 8 rows touch are counted as if routing were uniform and independent.
 * Invariant: bytes are of one rank and include padding, as they are streamed.
 */
import type { Compiled } from '../codegen/compile.ts'
import { streamBytesPerUs } from '../compiler/plan/hopper-costs.ts'
import type { Plan, Role, SegmentPlan } from '../compiler/plan/ir.ts'
import { phaseBytes } from '../compiler/plan/phase-bytes.ts'
import { predictPhase } from '../compiler/plan/predict.ts'
import { sharedMemory } from '../compiler/plan/shared-memory.ts'
import { ROWS } from '../compiler/tile/forms.ts'
import type { Phase, PhaseKind } from '../compiler/tile/ir.ts'
import type { Target } from '../runtime/build/toolchain.ts'
import { bytes, microseconds, table } from './table.ts'

const registerFile = 65536
/** What a thread block may use of an SM's shared memory. */
const sharedLimit = 227 * 1024

export interface PhaseReport {
  readonly segment: string
  readonly phase: string
  readonly kind: PhaseKind
  /** Executions in a round. */
  readonly runs: number
  /** Weights of one execution, all experts. */
  readonly weightBytes: number
  /** Streamed by one execution: weights, and the caches of a full context. */
  readonly rowBytes: number
  readonly blockBytes: number
  /** What the cost model says of one execution for a block on an H200 (compiler/plan/predict.ts); on GPUs only. */
  readonly predictedUs?: number
}

export interface EngineReport {
  readonly model: string
  readonly target: Target
  readonly ranks: number
  readonly sms: number
  readonly ctx: number
  readonly roles: readonly (Role & { readonly fileRegisters: number })[]
  readonly registers: { readonly used: number; readonly limit: number }
  readonly shared: {
    readonly areas: readonly { readonly name: string; readonly bytes: number }[]
    readonly used: number
    readonly limit: number
  }
  readonly memory: { readonly image: number; readonly kv: number; readonly workspace: number }
  readonly phases: readonly PhaseReport[]
  readonly round: {
    readonly rowBytes: number
    readonly blockBytes: number
    readonly rowUs: number
    readonly blockUs: number
    /** What the cost model says of a block, all phases together. */
    readonly predictedUs?: number
  }
  readonly counters: number
  readonly sites: number
  readonly source: { readonly lines: number; readonly bytes: number }
}

export function reportOf({ plan, phases: program, source }: Compiled, target: Target): EngineReport {
  const roles = plan.roles.map((r) => ({ ...r, fileRegisters: r.warps * 32 * r.registers }))
  const shared = sharedMemory(plan)
  const phases = plan.segments.flatMap((s, i) => segmentPhases(s, program.segments[i]!.phases, plan, target))
  const total = (of: (p: PhaseReport) => number): number => phases.reduce((n, p) => n + p.runs * of(p), 0)
  const [rowBytes, blockBytes] = [total((p) => p.rowBytes), total((p) => p.blockBytes)]
  return {
    model: plan.name,
    target,
    ranks: plan.ranks,
    sms: plan.sms,
    ctx: plan.ctx,
    roles,
    registers: { used: roles.reduce((n, r) => n + r.fileRegisters, 0), limit: registerFile },
    shared: { areas: shared.areas, used: shared.total, limit: sharedLimit },
    memory: { image: plan.imageBytes, kv: plan.kvBytes, workspace: plan.workspaceBytes },
    phases,
    round: {
      ...{ rowBytes, blockBytes, rowUs: floorUs(rowBytes), blockUs: floorUs(blockBytes) },
      ...(target !== 'host' && { predictedUs: total((p) => p.predictedUs ?? 0) }),
    },
    counters: plan.tallies.filter((t) => t.scope === 'counter').length,
    sites: plan.sites.length,
    source: { lines: source.split('\n').length - 1, bytes: Buffer.byteLength(source) },
  }
}

function segmentPhases(segment: SegmentPlan, phases: readonly Phase[], plan: Plan, target: Target): PhaseReport[] {
  return segment.phases.map((p, i) => {
    const phase = phases[i]!
    // The last block that the context holds.
    const load = (rows: number) => ({ rows, context: plan.ctx - rows })
    const streamed = (rows: number): number => phaseBytes(p, phase, plan.route.topK, load(rows))
    return {
      segment: segment.name,
      phase: p.name,
      kind: phase.kind,
      runs: Math.max(1, segment.layers.length),
      weightBytes: p.weightBytes,
      rowBytes: streamed(1),
      blockBytes: streamed(ROWS),
      ...(target !== 'host' && { predictedUs: predictPhase(plan, p, phase, load(ROWS)).us }),
    }
  })
}

export const floorUs = (n: number): number => n / streamBytesPerUs

export function printReport(r: EngineReport): string {
  const right = (title: string) => ({ title, align: 'right' as const })
  const roles = table(
    [{ title: 'role' }, right('warps'), right('registers'), right('of the file')],
    r.roles.map((x) => [x.name, `${x.warps}`, `${x.registers}`, `${x.fileRegisters}`]),
  )
  const shared = table(
    [{ title: 'area' }, right('bytes')],
    r.shared.areas.filter((a) => a.bytes > 0).map((a) => [a.name, `${a.bytes}`]),
  )
  const predicted = r.round.predictedUs
  const phases = table(
    [
      { title: 'phase' },
      right('runs'),
      right('weights'),
      right('one row'),
      right('floor'),
      right('a block'),
      right('floor'),
      ...(predicted === undefined ? [] : [right('predicted')]),
    ],
    r.phases.map((p) => [
      `${p.segment}.${p.phase}`,
      `${p.runs}`,
      p.weightBytes > 0 ? bytes(p.weightBytes) : '',
      p.rowBytes > 0 ? bytes(p.rowBytes) : '',
      microseconds(floorUs(p.rowBytes)),
      p.blockBytes > 0 ? bytes(p.blockBytes) : '',
      microseconds(floorUs(p.blockBytes)),
      ...(p.predictedUs === undefined ? [] : [microseconds(p.predictedUs)]),
    ]),
  )
  const { round } = r
  return `${r.model} for ${r.target}: ${r.ranks} ${r.ranks === 1 ? 'rank' : 'ranks'} of ${r.sms} SMs, context ${r.ctx}

Roles of an SM
${roles}  registers: ${r.registers.used} of ${r.registers.limit}

Shared memory of an SM
${shared}  in all: ${r.shared.used} of ${r.shared.limit}

Memory of a rank: weights ${bytes(r.memory.image)}, KV cache ${bytes(r.memory.kv)}, workspace ${bytes(r.memory.workspace)}

Phases (bytes one rank streams in one execution, weights and a full context's keys and values; floor at 4.55 TB/s)
${phases}  a round: ${bytes(round.rowBytes)} and ${microseconds(round.rowUs)} for one row, ${bytes(round.blockBytes)} and ${microseconds(round.blockUs)} for a block of 8${predicted === undefined ? '' : `; predicted ${microseconds(predicted)}`}

Source: ${r.source.lines} lines; ${r.counters} counters, ${r.sites} sync sites
`
}

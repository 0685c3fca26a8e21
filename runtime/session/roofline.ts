/**
 * The roofline of rank 0: each phase's bytes, the time that they take at the ceiling that was measured in the same run,
 * and the time that they took; beside it, what sums over ranks cost on each rank that ran.
 *
 * Vocabulary: the *ceiling* is what this machine streams when it does nothing else (codegen/device/engine/ceiling.cu.h; on the
 * host, one thread); a *floor* is bytes over the ceiling; the *fraction* is floor over measured.
 * Invariant: everything comes from one process of a traced engine; a trace costs a few percent, which are in what is shown.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import type { Load } from '../../compiler/plan/phase-bytes.ts'
import { predictPhase } from '../../compiler/plan/predict.ts'
import { TraceFile } from '../engine/trace-file.ts'
import type { Ready } from '../engine/wire.ts'
import { measureRank, openRank, type RankBench, type RankOptions } from './bench-rank.ts'
import { type Exchange, exchangeTimes } from './exchange-times.ts'
import { type PhaseTime, phaseTimes } from './phase-times.ts'
import { median } from './statistics.ts'

export interface PhaseLine extends PhaseTime {
  readonly floorUs: number
  /** What the cost model says, at the measured ceiling; on GPUs only, whose costs it knows. */
  readonly predictedUs?: number
}

export interface RooflineTotal {
  readonly name: string
  readonly bytes: number
  readonly floorUs: number
  readonly predictedUs?: number
  readonly us: number
  readonly syncUs: number
}

export interface Roofline {
  readonly ready: Ready
  readonly layers: number
  readonly drafter: boolean
  readonly runs: number
  /** Bytes a second. */
  readonly ceiling: number
  readonly phases: readonly PhaseLine[]
  /** Sums over ranks, where the plan has some. */
  readonly exchange: Exchange
  /** Of each program and of a whole round: what its phases add up to. */
  readonly totals: readonly RooflineTotal[]
  /** What the engine itself says of the same rounds. */
  readonly roundUs: number
}

export async function measureRoofline(options: RankOptions): Promise<Roofline> {
  return traced(options, ['--ceiling', '1'], (bench, rounds, traces) => {
    const trace = traces[0]!
    const { ready } = bench.engine
    const ceiling = ready.ceiling
    if (ceiling === undefined)
      throw new DiagnosticError([diagnostic('TILE5112', 'the ceiling of this machine could not be measured')])
    const { rows, context } = options
    const position = context + rows * Math.max(0, options.rounds - trace.rounds.length / 2)
    const load = (program: string) => ({ context: position, rows: program === 'draft' ? (bench.block ?? rows) : rows })
    const floor = (bytes: number): number => (bytes / ceiling) * 1e6
    const predicted = (p: PhaseTime) =>
      ready.target === 'host'
        ? {}
        : { predictedUs: predictionOf(bench, p, { ...load(p.program), active: p.active }, ceiling) }
    const phases = phaseTimes(trace, bench.compiled, load).map(
      (p): PhaseLine => ({ ...p, floorUs: floor(p.bytes), ...predicted(p) }),
    )
    const sum = (of: readonly PhaseLine[], value: (p: PhaseLine) => number): number =>
      of.reduce((n, p) => n + p.runs * value(p), 0)
    const total = (name: string, of: readonly PhaseLine[]) => {
      const bytes = sum(of, (p) => p.bytes)
      const predictedUs = sum(of, (p) => p.predictedUs ?? 0)
      return {
        ...{ name, bytes, floorUs: floor(bytes), us: sum(of, (p) => p.us), syncUs: sum(of, (p) => p.syncUs) },
        ...(predictedUs > 0 && { predictedUs }),
      }
    }
    // Rounds that end in tokens; the drafter's programs run in rounds of their own before them.
    const yielding = trace.rounds.filter((r) => r.entries.some((e) => bench.compiled.plan.entries[e]!.program === 0))
    const shown = rounds.at(-1)?.slice(-yielding.length) ?? []
    const programs = [...new Set(phases.map((p) => p.program))]
    return {
      ready,
      layers: bench.layers,
      drafter: bench.block !== undefined,
      runs: rounds.length,
      ceiling,
      phases,
      exchange: exchangeTimes(traces, bench.compiled.plan),
      totals: [
        ...programs.map((name) =>
          total(
            name,
            phases.filter((p) => p.program === name),
          ),
        ),
        ...(programs.length > 1 ? [total('round', phases)] : []),
      ],
      roundUs: median(shown.map((r) => r.roundNs)) / 1000,
    }
  })
}

function predictionOf({ compiled }: RankBench, { segment, phase }: PhaseTime, load: Load, ceiling: number): number {
  const { plan, phases } = compiled
  const s = plan.segments.findIndex((x) => x.name === segment)
  const p = plan.segments[s]!.phases.findIndex((x) => x.name === phase)
  return predictPhase(plan, plan.segments[s]!.phases[p]!, phases.segments[s]!.phases[p]!, load, ceiling / 1e6).us
}

type Rounds = Awaited<ReturnType<typeof measureRank>>['runs']

/** Runs a traced engine to its end and hands over what each rank wrote. */
export async function traced<T>(
  options: RankOptions,
  args: readonly string[],
  use: (bench: RankBench, rounds: Rounds, traces: readonly TraceFile[]) => T,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tilec-trace-'))
  try {
    const file = join(folder, 'trace')
    const bench = await openRank(options, 'traced', ['--trace', file, ...args])
    let rounds: Rounds
    try {
      rounds = (await measureRank(bench, options)).runs
    } finally {
      await bench.engine.close()
    }
    const parts = partsOf(file, options.ranks.present)
    return use(
      bench,
      rounds,
      parts.map((bytes) => new TraceFile(bytes, bench.compiled.plan)),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A file in so many equal parts: together they may be longer than a buffer can be. */
function partsOf(file: string, count: number): Buffer[] {
  const fd = openSync(file, 'r')
  try {
    const size = fstatSync(fd).size / count
    return Array.from({ length: count }, (_, i) => {
      const bytes = Buffer.allocUnsafe(size)
      readSync(fd, bytes, 0, size, i * size)
      return bytes
    })
  } finally {
    closeSync(fd)
  }
}

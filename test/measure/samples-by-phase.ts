/**
 * samples-by-phase: what pc-samples.cpp has counted, by phase and role, by line, and by what warps waited for.
 *
 *   TILEC_CACHE=$(mktemp -d) NVCC_APPEND_FLAGS=-DTILE_SAMPLED tilec compile .. -o engine-folder
 *   cuobjdump -xelf all engine; nvdisasm -gi -c *.cubin > engine.dis
 *   npm run -s samples -- engine.samples engine.dis engine.cu --round 5470 [--runs 60] [--phase sliding_experts_expert_up_compute]
 *
 * Vocabulary: the disassembly names for an instruction its line and, outwards, the lines of all that it was inlined in. A *frame* is
 * one of them. With TILE_SAMPLED the lines of a phase's function are of a file that is named after it: of lines that several
 * functions have in common ptxas knows only one that they are inlined in. `--runs`: executions of a phase in a round.
 *
 * Invariant: a sample is of one warp, so a phase's share of all samples, times all warps over those of its role, is its share of the
 * round. A wait that lasts calls a function that all phases share, which is nobody's here.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

export interface Frame {
  readonly file: string
  readonly line: number
}
export interface Instruction {
  readonly text: string
  /** From the innermost on. */
  readonly frames: readonly Frame[]
}

/** Instructions of engine_kernel by their offset in it, from `nvdisasm -gi -c`. */
export function readDisassembly(text: string): Map<number, Instruction> {
  const found = new Map<number, Instruction>()
  let frames: Frame[] = []
  let [within, fresh] = [false, false]
  for (const line of text.split('\n')) {
    if (line.startsWith('.text.')) within = line.includes('engine_kernel')
    if (!within) continue
    const frame = /^\s*\/\/## File "([^"]+)", line (\d+)/.exec(line)
    if (frame) {
      if (!fresh) frames = []
      fresh = true
      frames.push({ file: frame[1]!.split('/').at(-1)!, line: Number(frame[2]) })
      continue
    }
    const instruction = /^\s+\/\*([0-9a-f]{4,})\*\/\s+(.*?);/.exec(line)
    if (!instruction) continue
    fresh = false
    found.set(Number.parseInt(instruction[1]!, 16), { text: instruction[2]!, frames })
  }
  return found
}

/** Samples of engine_kernel by offset and reason. */
export function readSamples(text: string): Map<number, Map<string, number>> {
  const found = new Map<number, Map<string, number>>()
  for (const line of text.split('\n')) {
    const [name, offset, reason, count] = line.split(' ')
    if (count === undefined || !name!.includes('engine_kernel') || reason!.endsWith('_not_issued')) continue
    const at = Number.parseInt(offset!, 16)
    const reasons = found.get(at) ?? new Map<string, number>()
    found.set(at, reasons)
    const short = reason!.replace('smsp__pcsamp_warps_issue_stalled_', '')
    reasons.set(short, (reasons.get(short) ?? 0) + Number(count))
  }
  return found
}

/** An emitted source: its phases' functions, and how many warps its roles have. */
export class EmittedSource {
  readonly #lines: readonly string[]
  readonly #phases: ReadonlySet<string>
  readonly warps: ReadonlyMap<string, number>

  constructor(text: string) {
    this.#lines = text.split('\n')
    this.#phases = new Set([...text.matchAll(/^TILE_PHASE static void (\w+)\(/gm)].map((m) => m[1]!))
    const roles = ['load', 'compute', 'epilogue', 'communicate']
    this.warps = new Map(roles.map((r) => [r, Number(new RegExp(`${r}_warps = (\\d+)`).exec(text)?.[1] ?? 0)]))
  }
  /** The frame that is a line of a phase's function. */
  ownFrame(frames: readonly Frame[]): Frame | undefined {
    return frames.find((f) => this.#phases.has(f.file))
  }
  /** Text of the line of a phase's function that a frame of it stands for. */
  textOf(frame: Frame): string {
    const begin = this.#lines.findIndex((l) => l.startsWith(`TILE_PHASE static void ${frame.file}(`))
    const directive = this.#lines.slice(0, begin).findLastIndex((l) => l.startsWith('#line'))
    const first = Number(this.#lines[directive]?.split(' ')[1])
    return this.#lines[directive + 1 + frame.line - first]?.trim() ?? '?'
  }
}

/** What warps of a role's phase waited for, in samples, by the line of the phase. */
export type PhaseSamples = Map<string, Map<string, number>>

/** By phase's function; what no phase could be found for stands under `''`. */
export function byPhase(
  instructions: ReadonlyMap<number, Instruction>,
  samples: ReadonlyMap<number, ReadonlyMap<string, number>>,
  source: EmittedSource,
): Map<string, PhaseSamples> {
  if (![...instructions.values()].some(({ frames }) => source.ownFrame(frames)))
    throw new Error('no instruction is of a line of a phase: build the engine with -DTILE_SAMPLED')
  const phases = new Map<string, PhaseSamples>()
  for (const [at, reasons] of samples) {
    const frames = instructions.get(at)?.frames ?? []
    const own = source.ownFrame(frames)
    const phase = own?.file ?? ''
    const line = own ? source.textOf(own) : `${frames.at(-1)?.file}:${frames.at(-1)?.line}`
    const lines = phases.get(phase) ?? new Map<string, Map<string, number>>()
    const sums = lines.get(line) ?? new Map<string, number>()
    phases.set(phase, lines.set(line, sums))
    for (const [reason, count] of reasons) sums.set(reason, (sums.get(reason) ?? 0) + count)
  }
  return phases
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0)
const together = (lines: PhaseSamples): Map<string, number> => {
  const all = new Map<string, number>()
  for (const reasons of lines.values()) for (const [r, n] of reasons) all.set(r, (all.get(r) ?? 0) + n)
  return all
}

/** A line for each phase that takes a hundredth of a round or more, or for each line of one phase; us of one execution, of a warp. */
export function report(
  phases: ReadonlyMap<string, PhaseSamples>,
  source: EmittedSource,
  roundUs: number,
  runs: number,
  only?: string,
): string {
  const all = sum([...phases.values()].flatMap((lines) => [...together(lines).values()]))
  const warps = sum(source.warps.values())
  const us = (phase: string, samples: number): number => {
    const role = phase.split('_').at(-1)!
    return ((samples / all) * roundUs * warps) / (source.warps.get(role) ?? warps) / runs
  }
  const row = (name: string, phase: string, reasons: ReadonlyMap<string, number>): [number, string] => {
    const total = us(phase, sum(reasons.values()))
    const parts = [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 7)
    return [
      total,
      `${total.toFixed(2).padStart(8)}  ${name}  ${parts.map(([r, n]) => `${r} ${us(phase, n).toFixed(2)}`).join(', ')}`,
    ]
  }
  const rows =
    only === undefined
      ? [...phases].map(([name, lines]) =>
          row(name || '(waits that last, and what is in no phase)', name, together(lines)),
        )
      : [...(phases.get(only) ?? [])].map(([line, reasons]) => row(line, only, reasons))
  const least = only === undefined ? roundUs / runs / 100 : 0.03
  return rows
    .filter(([total]) => total >= least)
    .sort((a, b) => b[0] - a[0])
    .map(([, text]) => text)
    .join('\n')
}

if (process.argv[1]?.endsWith('samples-by-phase.ts')) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { round: { type: 'string' }, runs: { type: 'string', default: '1' }, phase: { type: 'string' } },
  })
  const [samples, disassembly, engine] = positionals
  if (!engine || !values.round)
    throw new Error('usage: npm run samples -- SAMPLES DISASSEMBLY ENGINE.CU --round US [--runs N] [--phase FUNCTION]')
  const source = new EmittedSource(readFileSync(engine, 'utf8'))
  const phases = byPhase(
    readDisassembly(readFileSync(disassembly!, 'utf8')),
    readSamples(readFileSync(samples!, 'utf8')),
    source,
  )
  if (values.phase && !phases.has(values.phase))
    throw new Error(
      `no samples of '${values.phase}'; there are some of ${[...phases.keys()].filter(Boolean).join(', ')}`,
    )
  process.stdout.write(`${report(phases, source, Number(values.round), Number(values.runs), values.phase)}\n`)
}

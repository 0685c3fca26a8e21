/**
 * Entry tables: what an entry of a round looks up by its number, and what all entries look up together.
 *
 * Vocabulary: an *entry* runs a segment as one layer; `entry_x` has a value for each. Counts are of one round, before the entry; what
 * earlier rounds have added follows from how often each program ran (struct At in engine.cu.hbs).
 * Invariant: on a GPU tables lie in constant memory, so their types are as narrow as their values.
 */
import { type Plan, roleNames } from '../../compiler/plan/ir.ts'
import type { ElementStep } from '../../compiler/tile/ir.ts'
import { ropeTable } from './elements.ts'
import { floatLiteral } from './expr.ts'
import { Writer } from './writer.ts'

export function entryTables(plan: Plan): string {
  const out = new Writer()
  const { entries, tallies } = plan
  const rows = (title: string, type: string, values: readonly (string | number)[], width = 12): void => {
    out.line(`TILE_TABLE ${type} ${title}[${values.length}] = {`)
    for (let i = 0; i < values.length; i += width) out.line(`  ${values.slice(i, i + width).join(', ')},`)
    out.line('};')
  }
  out.line(`// ${plan.segments.map((s, i) => `${i} ${s.name}`).join(', ')}`)
  rows(
    'entry_segment',
    'unsigned char',
    entries.map((e) => e.segment),
    36,
  )
  rows(
    'entry_image',
    'unsigned long long',
    entries.map((e) => `${e.imageOffset}ull`),
    8,
  )
  rows(
    'entry_kv',
    'unsigned long long',
    entries.map((e) => `${e.kvOffset}ull`),
    8,
  )
  plan.prefetches.forEach(({ what, ranges }, i) => {
    out.line(`// while an entry runs, the weights of ${what}`)
    rows(
      `ahead_${i}_at`,
      'unsigned long long',
      ranges.map((r) => `${r?.offset ?? 0}ull`),
      8,
    )
    rows(
      `ahead_${i}_bytes`,
      'unsigned',
      ranges.map((r) => r?.bytes ?? 0),
    )
  })
  out.line(`TILE_TABLE unsigned short entry_runs[${entries.length}][${tallies.length}] = {`)
  for (const e of entries) out.line(`  {${e.runs.join(', ')}},`)
  out.line('};')
  rows(
    'entry_program',
    'unsigned char',
    entries.map((e) => e.program),
    36,
  )
  rows(
    'entry_taps',
    'unsigned char',
    entries.map((e) => e.taps),
    36,
  )
  rows('tally_program', 'unsigned char', tallyPrograms(plan), 36)
  rows('entry_exchanges', 'unsigned short', exchangesBefore(plan), 36)
  rows('program_exchanges', 'unsigned short', exchangesOf(plan), 36)
  rows(
    'round_runs',
    'unsigned short',
    tallies.map((t) => t.perRound),
    36,
  )
  for (const rope of ropes(plan)) {
    const half = rope.rotary / 2
    const frequencies = Array.from({ length: half }, (_, d) =>
      floatLiteral(Math.fround(rope.theta ** ((-2 * d) / rope.rotary))),
    )
    rows(ropeTable(rope), 'float', frequencies, 8)
  }
  return out.toString()
}

/** The program that counts each tally: a wait for another program's counter must count that one's rounds. */
function tallyPrograms(plan: Plan): number[] {
  return plan.tallies.map((t, i) => {
    const at = plan.entries.findIndex((e, k) => (plan.entries[k + 1]?.runs[i] ?? t.perRound) > e.runs[i]!)
    return plan.entries[at]?.program ?? 0
  })
}

const exchangeTally = (plan: Plan): number => plan.tallies.findIndex((t) => t.scope === 'exchange')

/** Exchanges of each program in a round that runs it. */
function exchangesOf(plan: Plan): number[] {
  const tally = exchangeTally(plan)
  const starts = plan.programs.map((_, p) => plan.entries.find((e) => e.program === p)!.runs[tally]!)
  return starts.map((s, p) => (starts[p + 1] ?? plan.tallies[tally]!.perRound) - s)
}

/** Exchanges before each entry in its round: a drafter's programs run together, the target alone. */
function exchangesBefore(plan: Plan): number[] {
  const tally = exchangeTally(plan)
  const drafter = plan.entries.find((e) => e.program > 0)?.runs[tally] ?? 0
  return plan.entries.map((e) => e.runs[tally]! - (e.program > 0 ? drafter : 0))
}

type Rope = Extract<ElementStep, { kind: 'rope' }>

/** Distinct rotary embeddings of the plan. */
function ropes(plan: Plan): Rope[] {
  const found = new Map<string, Rope>()
  const take = (elements: readonly ElementStep[]): void => {
    for (const e of elements) if (e.kind === 'rope') found.set(ropeTable(e), e)
  }
  for (const s of plan.segments) {
    for (const p of s.image) if (p.layout.kind === 'tiles') take(p.layout.sections.flatMap((x) => x.elements))
    // Heads that are normalised first turn in a phase of their own.
    for (const step of s.phases.flatMap((p) => roleNames.flatMap((r) => p.roles[r]))) {
      if ('phase' in step && 'elements' in step.phase) take(step.phase.elements)
      if ('part' in step) take(step.part.elements)
    }
  }
  return [...found.values()]
}

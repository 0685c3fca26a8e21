/**
 * The spec of the tile level. A phase program that breaks it is a bug of tilec, so the check throws.
 *
 * Invariants checked: names are unique; buffers that phases touch exist and are declared once; what phases read is made
 * before, by an earlier phase of the segment or as a carried or cached value; `reads` and `writes` are exactly what the
 * element steps and operands touch; element values are numbered before they are used; sections cover the period without
 * overlap; the sequence names segments and programs that exist, and layers that their segment lists; a named cache whose name depends
 * on the layer is one segment's, and a segment knows it as one buffer.
 */
import { InternalError } from '../diagnostics/diagnostic.ts'
import { isCache, TILE_ROWS } from './forms.ts'
import type { Buffer, ElementStep, Phase, PhaseProgram, Segment } from './ir.ts'
import { dependsOnLayer } from './split-segments.ts'

interface Context {
  readonly program: PhaseProgram
  readonly demand: (holds: boolean, message: string) => void
}

/** Every way in which the program breaks the spec. */
export function phaseViolations(program: PhaseProgram): string[] {
  const found: string[] = []
  const demand = (at: string) => (holds: boolean, message: string) => {
    if (!holds) found.push(`${at}: ${message}`)
  }
  const names = program.buffers.map((b) => b.name)
  unique(names, 'buffer', demand(program.name))
  unique(
    program.segments.map((s) => s.name),
    'segment',
    demand(program.name),
  )
  for (const segment of program.segments) {
    unique(
      segment.phases.map((p) => p.name),
      'phase',
      demand(segment.name),
    )
    checkOrder(segment, program, demand(segment.name))
    for (const phase of segment.phases) {
      const context: Context = { program, demand: demand(`${segment.name}.${phase.name}`) }
      for (const b of [...phase.reads, ...phase.writes])
        context.demand(names.includes(b), `touches '${b}', which is no buffer`)
      const rule = rules[phase.kind] as (p: Phase, c: Context) => void
      rule(phase, context)
    }
  }
  for (const b of program.buffers) checkNamedCache(b, program, demand(b.name))
  program.sequence.forEach((entry, i) => {
    const say = demand(`entry ${i}`)
    const segment = program.segments[entry.segment]
    say(segment !== undefined, `segment ${entry.segment} does not exist`)
    say(program.programs[entry.program] !== undefined, `program ${entry.program} does not exist`)
    say(
      entry.layer === undefined || segment?.layers.includes(entry.layer) === true,
      `layer '${entry.layer}' is none of '${segment?.name}'`,
    )
    say(i === 0 || program.sequence[i - 1]!.program <= entry.program, 'programs are not in order')
  })
  return found
}

/** Throws InternalError when the program that left `stage` breaks the spec. */
export function assertPhases(program: PhaseProgram, stage: string): void {
  const found = phaseViolations(program)
  if (found.length > 0) throw new InternalError(`phases of '${program.name}' after ${stage}:\n  ${found.join('\n  ')}`)
}

function unique(names: readonly string[], what: string, demand: Context['demand']): void {
  const seen = new Set<string>()
  for (const n of names) {
    demand(!seen.has(n), `${what} '${n}' is there twice`)
    seen.add(n)
  }
}

/** A value is made before it is read: in the segment, or in one that runs before; carried values and caches by any. */
function checkOrder(segment: Segment, program: PhaseProgram, demand: Context['demand']): void {
  const lasting = new Set(program.buffers.filter((b) => b.carried || isCache(b.form)).map((b) => b.name))
  const order = program.sequence.map((e) => program.segments[e.segment])
  const before = new Set(order.slice(0, order.indexOf(segment)))
  before.delete(segment)
  const made = new Set([...before].flatMap((s) => s?.phases.flatMap((p) => p.writes) ?? []))
  for (const phase of segment.phases) {
    for (const r of phase.reads) {
      // What a phase accumulates into may be its own, element by element.
      demand(
        made.has(r) || lasting.has(r) || phase.writes.includes(r),
        `'${phase.name}' reads '${r}', which nobody has made`,
      )
    }
    for (const w of phase.writes) made.add(w)
  }
}

function checkNamedCache(b: Buffer, program: PhaseProgram, say: Context['demand']): void {
  if (!b.cache) return
  const { name, segment } = b.cache
  say(isCache(b.form), 'names a cache and is none')
  say(dependsOnLayer(name) === (segment !== undefined), `is '${name}' of segment '${segment}'`)
  const same = program.buffers.filter((o) => o.cache?.name === name && o.cache.segment === segment)
  say(same.length === 1, `is '${name}' of segment '${segment}', and so are ${same.length - 1} others`)
  if (segment === undefined) return
  say(
    program.segments.some((s) => s.name === segment),
    `segment '${segment}' does not exist`,
  )
  for (const s of program.segments)
    if (s.name !== segment && s.phases.some((p) => [...p.reads, ...p.writes].includes(b.name)))
      say(false, `is of segment '${segment}', but '${s.name}' uses it`)
}

type Rules = { readonly [K in Phase['kind']]: (phase: Extract<Phase, { kind: K }>, c: Context) => void }
const rules: Rules = {
  embed: (p, c) => elementsAgree(p, p.elements, [], c),
  pointwise: (p, c) => elementsAgree(p, p.elements, [], c),
  normed: (p, c) => {
    const loads = p.parts.flatMap((part) => touched(part.elements)).filter((e) => e.kind === 'load')
    const sources = p.parts.map((part) => part.source)
    const elements = p.parts.flatMap((part) => part.elements)
    agrees(p, [...sources, ...loads.map((e) => e.buffer)], elements, c)
    c.demand(!p.writes.some((w) => p.reads.includes(w)), 'a part reads what another writes')
    c.demand(new Set(p.writes).size === p.writes.length, 'two parts write the same')
    for (const { elements, head, heads, group, rotary } of p.parts) {
      numbered(elements, c)
      c.demand(head % 2 === 0 && rotary % 2 === 0 && rotary <= head, `rotary ${rotary} of heads of ${head}`)
      c.demand(heads % group === 0, `${heads} heads in groups of ${group}`)
    }
  },
  product: (p, c) => {
    const elements = p.sections.flatMap((s) => s.elements)
    const named = p.sections.flatMap((s) => touched(s.elements))
    agrees(p, [p.source, ...named.filter((e) => e.kind === 'load').map((e) => e.buffer)], elements, c)
    for (const s of p.sections) numbered(s.elements, c)
    c.demand(p.params.length === 1 || p.params.length === 2, `${p.params.length} params`)
    c.demand(p.routed === undefined || (p.experts !== undefined && p.experts > 0), 'routed without experts')
    let end = 0
    for (const s of p.sections) {
      c.demand(s.first === end, `a section begins at tile ${s.first} instead of ${end}`)
      c.demand(s.tiles > 0, 'a section without tiles')
      end = s.first + s.tiles
    }
    c.demand(end === p.period, `sections end at tile ${end} of a period of ${p.period}`)
    const rows = p.params.length === 2 ? TILE_ROWS / 2 : TILE_ROWS
    c.demand(
      Math.ceil(p.rows / rows) % p.period === 0,
      `${Math.ceil(p.rows / rows)} tiles are no multiple of the period ${p.period}`,
    )
  },
  attend: (p, c) => {
    sameSet(p.reads, [p.queries, p.keys, p.values], 'reads', c)
    sameSet(p.writes, [p.partials], 'writes', c)
    c.demand(p.window === undefined || p.window > 0, `window ${p.window}`)
  },
  near: (p, c) => {
    sameSet(p.reads, [p.queries, p.keys, p.values], 'reads', c)
    sameSet(p.writes, [p.output], 'writes', c)
    c.demand(p.window > 0, `window ${p.window}`)
    c.demand(p.valueDim % (8 * p.parts) === 0, `${p.valueDim} value dims in ${p.parts} parts`)
  },
  merge: (p, c) => {
    sameSet(p.reads, [p.attend.partials], 'reads', c)
    sameSet(p.writes, [p.output], 'writes', c)
  },
  route: (p, c) => {
    sameSet(p.reads, [p.logits], 'reads', c)
    c.demand(p.topK >= 1 && p.topK <= p.experts, `${p.topK} of ${p.experts} experts`)
  },
  firsts: (p, c) => {
    sameSet(p.reads, [p.logits], 'reads', c)
    sameSet(p.writes, [p.output], 'writes', c)
  },
  // One without firsts ends a program that only remembers: it comes after everything that it names.
  sample: (p, c) => {
    c.demand(p.logits === undefined || p.firsts !== undefined, 'samples of logits that no SM has looked at')
    if (p.firsts !== undefined) sameSet(p.reads, [...(p.logits === undefined ? [] : [p.logits]), p.firsts], 'reads', c)
  },
}

type BufferStep = Extract<ElementStep, { buffer: string }>
const touched = (elements: readonly ElementStep[]): BufferStep[] =>
  elements.filter((e): e is BufferStep => e.kind === 'load' || e.kind === 'store')

function elementsAgree(p: Phase, elements: readonly ElementStep[], operands: readonly string[], c: Context): void {
  const loads = touched(elements).filter((e) => e.kind === 'load')
  agrees(p, [...operands, ...loads.map((e) => e.buffer)], elements, c)
  numbered(elements, c)
}

function agrees(p: Phase, reads: readonly string[], elements: readonly ElementStep[], c: Context): void {
  sameSet(p.reads, reads, 'reads', c)
  const stores = touched(elements).filter((e) => e.kind === 'store')
  sameSet(
    p.writes,
    stores.map((e) => e.buffer),
    'writes',
    c,
  )
}

function sameSet(said: readonly string[], used: readonly string[], what: string, c: Context): void {
  const [a, b] = [new Set(said), new Set(used)]
  for (const x of a) c.demand(b.has(x), `says that it ${what} '${x}', but does not`)
  for (const x of b) c.demand(a.has(x), `${what} '${x}' without saying so`)
}

/** A value is numbered once, before it is used. */
function numbered(elements: readonly ElementStep[], c: Context): void {
  const known = new Set<number>()
  for (const e of elements) {
    const inputs = e.kind === 'map' ? e.inputs : 'input' in e ? [e.input] : []
    for (const i of inputs) c.demand(known.has(i), `${e.kind} uses value ${i} before it is made`)
    if (!('value' in e)) continue
    c.demand(!known.has(e.value), `value ${e.value} is made twice`)
    known.add(e.value)
  }
}

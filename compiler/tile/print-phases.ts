/**
 * Prints a phase program: for inspect, for diffs between passes, for tests.
 *
 * Invariants: the text shows everything but spans, so equal text means equal programs; it does not depend on the machine.
 * One block a phase: its head, what it reads and writes, then what happens to the elements of each section.
 */
import { printExpr } from '../../dsl/expr.ts'
import { printFormat } from '../../dsl/format.ts'
import { printForm } from './forms.ts'
import type { Attention, ElementStep, Phase, PhaseProgram, Section } from './ir.ts'
import { printCache } from './named-caches.ts'

const elementRules: { readonly [K in ElementStep['kind']]: (e: Extract<ElementStep, { kind: K }>) => string } = {
  acc: (e) => `v${e.value} = sum`,
  load: (e) => `v${e.value} = ${e.buffer}`,
  map: (e) =>
    `v${e.value} = ${printExpr(
      e.expr,
      e.inputs.map((i) => `v${i}`),
    )}`,
  pair: (e) => `v${e.value} = ${printExpr(e.expr, ['first', 'second'])}`,
  rope: (e) => `v${e.value} = rope(v${e.input}) theta=${e.theta} rotary=${e.rotary}`,
  exchange: (e) => `v${e.value} = sum over ranks of v${e.input}`,
  store: (e) => `${e.buffer}${e.tapped ? ' of this tap' : ''} <- v${e.input}`,
}
export const printElement = (e: ElementStep): string => (elementRules[e.kind] as (e: ElementStep) => string)(e)

const elements = (steps: readonly ElementStep[]): string => steps.map(printElement).join(' ; ')

function printSection(s: Section): string {
  const heads = s.head > 0 && s.rotary > 0 ? ` heads of ${s.head}, ${s.rotary} rotate` : ''
  return `tiles ${s.first}..${s.first + s.tiles - 1}${heads}: ${elements(s.elements)}`
}

const attention = (a: Attention): string =>
  `kv=${a.kv} group=${a.group} qd=${a.keyDim} vd=${a.valueDim} scale=${a.scale}` +
  `${a.window === undefined ? '' : ` window=${a.window}`}`
const sink = (param: string | undefined): string => (param === undefined ? '' : ` sink ${param}`)

/** Head and body lines of each kind of phase. */
const phaseRules: { readonly [K in Phase['kind']]: (p: Extract<Phase, { kind: K }>) => readonly string[] } = {
  embed: (p) => [`embed ${p.param} n=${p.n}`, elements(p.elements)],
  product: (p) => [
    `product ${p.params.join(' | ')} ${printFormat(p.format)} rows=${p.rows} k=${p.k}` +
      `${p.routed ? ` routed ${p.routed} over ${p.experts} experts` : ''} period=${p.period}`,
    `stage ${p.source}${p.ofRank ? ', the part of this rank' : ''}`,
    ...(p.norm
      ? [
          `norm ${p.norm.param}: mean of ${printExpr(p.norm.stat, ['x'])}; ${printExpr(p.norm.apply, ['x', 'mean', 'w'])}`,
        ]
      : []),
    ...p.sections.map(printSection),
  ],
  attend: (p) => [`attend ${attention(p)}`],
  near: (p) => [`near attend ${attention(p)} parts=${p.parts} -> ${p.output}${sink(p.sink)}`],
  merge: (p) => [`merge ${p.attend.partials} -> ${p.output}${sink(p.sink)}`],
  route: (p) => [
    `route ${p.topK} of ${p.experts}: score ${printExpr(p.score, ['logit'])}, choose ${printExpr(p.choose, ['score', 'bias'])}`,
    `weights ${p.normalise ? `score / (sum + ${p.epsilon})` : 'score'} * ${p.factor}${p.bias === undefined ? '' : `, bias ${p.bias}`}`,
  ],
  normed: ({ parts }) => [
    parts.length === 1 ? 'normed' : `normed, ${parts.length} side by side`,
    ...parts.flatMap((p) => [
      `${p.norm.param} over ${p.heads} heads of ${p.head}: mean of ${printExpr(p.norm.stat, ['x'])}; ${printExpr(p.norm.apply, ['x', 'mean', 'w'])}`,
      elements(p.elements),
    ]),
  ],
  pointwise: (p) => [`pointwise n=${p.n}`, elements(p.elements)],
  firsts: (p) => [`firsts of ${p.logits} -> ${p.output}`],
  sample: (p) => [
    p.logits !== undefined
      ? `sample ${p.logits} vocabulary=${p.vocabulary}`
      : `end of ${p.program}${p.firsts === undefined ? '' : `: propose ${p.firsts}`}`,
  ],
}

export function printPhase(p: Phase): string {
  const [head = '', ...body] = (phaseRules[p.kind] as (p: Phase) => readonly string[])(p)
  const flow = `reads ${p.reads.join(', ') || '-'} ; writes ${p.writes.join(', ') || '-'}`
  return [`${p.name}: ${head}`, ...[flow, ...body].map((line) => `  ${line}`)].join('\n')
}

export function printPhases(program: PhaseProgram): string {
  const lines = [`program ${program.name}, rank of ${program.ranks}`]
  for (const b of program.buffers)
    lines.push(
      `buffer ${b.name}${b.carried ? ' carried' : ''}: ${printForm(b.form)}${b.cache ? `, ${printCache(b.cache)}` : ''}`,
    )
  for (const s of program.segments) {
    lines.push(`segment ${s.name}${s.layers.length > 0 ? `: ${s.layers.join(', ')}` : ''}`)
    for (const p of s.phases)
      lines.push(
        ...printPhase(p)
          .split('\n')
          .map((line) => `  ${line}`),
      )
  }
  return `${lines.join('\n')}\n`
}

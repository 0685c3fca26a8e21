/**
 * Prints a plan: memory, counters, and the program of each role in each phase, one step a line.
 *
 * Invariants: the text shows every sync step with the name of its site, so equal text means equal synchronisation; it does
 * not depend on the machine.
 */
import { printForm } from '../tile/forms.ts'
import { printCache } from '../tile/named-caches.ts'
import {
  type Access,
  type Domain,
  type Loop,
  type Plan,
  roleNames,
  type Step,
  type SyncStep,
  type WorkStep,
} from './ir.ts'
import { sharedMemory } from './shared-memory.ts'

const domains: { readonly [K in Domain['kind']]: (d: Extract<Domain, { kind: K }>) => string } = {
  share: (d) => `this SM's share of ${d.count}`,
  owned: (d) => `those of this SM's share of ${d.count} that come to this rank of ${d.ranks}`,
  halves: () => 'both halves of the active experts',
  activeShare: (d) => `experts of the half (of ${d.experts}) x ${d.count}, dealt out over SMs`,
  activeGroups: (d) => `experts of the half (of ${d.experts}) in groups of ${d.size}`,
  chunkShare: (d) =>
    `this SM's share of ${d.kv} KV heads x visible chunks${d.window === undefined ? '' : ` (window ${d.window})`} x parts of ${d.mTiles} m tiles`,
  chunk: (d) => `visible spans of the chunk (of ${d.spans})`,
  range: (d) => `${d.count}`,
}
export const printDomain = (d: Domain): string => (domains[d.kind] as (d: Domain) => string)(d)

const since = (after: number): string => (after > 0 ? ` +${after}` : '')

const byHalf = (name: string, early?: string): string => (early === undefined ? name : `${early}, then ${name}`)

const syncs: { readonly [K in SyncStep['kind']]: (s: Extract<SyncStep, { kind: K }>) => string } = {
  wait: (s) => `wait ${byHalf(s.counter, s.early)}${since(s.after)}`,
  signal: (s) =>
    `signal ${byHalf(s.counter, s.early)}${s.of === undefined ? '' : s.of === 'tile' ? ', of the tile' : `, of this SM's share of ${s.of} tiles`}`,
  waitLocal: (s) => `wait local ${byHalf(s.local, s.early)}${since(s.after)}`,
  signalLocal: (s) => `signal local ${byHalf(s.local, s.early)}${s.each ? ', each warp' : ''}`,
  acquire: (s) => `acquire ${s.channel}`,
  commit: (s) => `commit ${s.channel}`,
  await: (s) => `await ${s.channel}`,
  release: (s) => `release ${s.channel}`,
  barrier: () => 'barrier',
}

const works: { readonly [K in WorkStep['kind']]: (w: Extract<WorkStep, { kind: K }>) => string } = {
  copyPage: (w) => `copy a page of ${w.product.name}`,
  copyGroup: (w) => `copy a group of ${w.product.name}`,
  copySpan: (w) => `copy a span of ${w.attend.keys} and ${w.attend.values}`,
  stage: (w) =>
    `stage ${w.product.source}${w.product.ofRank ? ', the part of this rank' : ''}${w.product.norm ? `, normalised by ${w.product.norm.param}` : ''}`,
  stagePage: (w) => `stage ${w.product.source} for a page`,
  stageChunk: (w) => `stage the chunk of ${w.product.source} that the tile takes`,
  stageRows: (w) => `stage the rows of ${w.product.source} in shared memory`,
  bringRows: (w) => `bring the rows of ${w.of.source} into shared memory, for local ${byHalf(w.local, w.early)}`,
  clear: (w) => `clear the sums of ${w.product.name}`,
  rotations: (w) => `find what a tile of ${w.product.name} turns by`,
  multiply: (w) => `multiply ${w.product.name} (${w.product.format})`,
  joinPut: () => 'put sums into the join',
  multiplyGroup: (w) => `multiply a group of ${w.product.name} (${w.product.format})`,
  finish: (w) =>
    `finish ${w.product.name} from ${w.from}${w.elements === 'all' ? '' : `, ${w.elements} the exchange${w.product.exchange === 2 ? ' in two shots' : ''}`}${w.byParts ? ' by parts' : ''}`,
  addParts: (w) => `add the parts of ${w.product.name} of all ranks`,
  spread: (w) => `send the sum of ${w.product.name} to all ranks`,
  gatherLogits: (w) => `gather ${w.buffer} on rank 0`,
  openTable: () => 'empty the route table',
  choose: (w) =>
    `choose ${w.phase.topK} of ${w.phase.experts} experts${w.scaled ? `, by the sums of ${w.scaled.name} scaled by its norm` : ''}`,
  route: () => 'weigh what rows have chosen, and list the active experts',
  findActive: () => 'find the active experts',
  takeScale: (w) => `take the scale of the sums of ${w.product.name}`,
  openTile: (w) => `open an m tile of ${w.attend.queries}`,
  attendSpan: (w) => `attend a span of ${w.attend.keys}`,
  leaveTile: (w) => `leave what the chunk comes to in ${w.attend.partials}`,
  attendNear: (w) => `attend to all visible keys of ${w.near.keys}`,
  mergeNear: (w) => `merge blocks into ${w.near.output}`,
  mergeChunks: (w) => `merge chunks into ${w.merge.output}`,
  embed: (w) => `embed ${w.phase.param}`,
  normed: (w) => `norm ${w.part.source} over heads of ${w.part.head}`,
  pointwise: (w) => `pointwise ${w.phase.name}`,
  firsts: (w) => `firsts of ${w.phase.logits}`,
  sample: ({ phase: { logits, firsts, program } }) =>
    logits !== undefined ? `sample ${logits}` : `end of ${program}${firsts === undefined ? '' : `: propose ${firsts}`}`,
  prefetch: (w) => `prefetch ${w.what} into L2`,
}

const isSync = (s: Step): s is SyncStep => Object.hasOwn(syncs, s.kind)
const isLoop = (s: Step): s is Loop => s.kind === 'loop'

/** What a step does, without its site and its accesses; of a loop, its head. */
export function describeStep(s: Step): string {
  if (isLoop(s)) return `for ${s.variable} in ${printDomain(s.domain)}`
  return isSync(s) ? (syncs[s.kind] as (s: SyncStep) => string)(s) : (works[s.kind] as (w: WorkStep) => string)(s)
}

const accesses = (word: string, list: readonly Access[] | undefined): string =>
  list && list.length > 0
    ? ` ${word} ${list.map((a) => `${a.region}/${a.part}${a.ofHalf ? ' of the half' : ''}`).join(', ')}`
    : ''

function printStep(s: Step, indent: string, plan: Plan): string[] {
  const head = `${indent}${describeStep(s)}`
  if (isLoop(s)) return [`${head}:`, ...s.body.flatMap((b) => printStep(b, `${indent}  `, plan))]
  if (isSync(s)) return [`${head}  @${plan.sites[s.site] ?? s.site}`]
  return [`${head}${accesses('reads', s.reads)}${accesses('writes', s.writes)}`]
}

export function printPlan(plan: Plan): string {
  const lines = [
    `plan ${plan.name}: ${plan.ranks} ranks of ${plan.sms} SMs, context ${plan.ctx}`,
    ...plan.roles.map((r) => `role ${r.name} ${r.warps} warps, ${r.registers} registers`),
    `ring ${plan.ring.depth} x ${plan.ring.pageBytes}, join ${plan.join.depth} x ${plan.join.parts} parts, slots ${plan.slots.tiles} tiles, exchange as ${plan.exchangeAs}`,
    ...sharedMemory(plan).areas.map((a) => `shared ${a.name} ${a.bytes}`),
    `memory image ${plan.imageBytes}, kv ${plan.kvBytes}, workspace ${plan.workspaceBytes}`,
    ...plan.buffers.map(
      (b) =>
        `buffer ${b.name} at ${b.offset}: ${b.bytes} bytes, ${printForm(b.form)}${b.cache ? `, ${printCache(b.cache)}` : ''}`,
    ),
    ...plan.tallies.map((t) => `${t.scope} ${t.name}: ${t.perRound} a round`),
    ...plan.prefetches.flatMap((p) =>
      p.ranges.flatMap((r, i) => (r ? [`prefetch ${p.what} at entry ${i}: ${r.bytes} bytes from ${r.offset}`] : [])),
    ),
    `round ${plan.entries.map((e) => plan.segments[e.segment]!.name).join(' ')}`,
  ]
  for (const s of plan.segments) {
    lines.push(`segment ${s.name}${s.layers.length > 0 ? `: ${s.layers.join(', ')}` : ''}`)
    for (const p of s.image)
      lines.push(`  image ${p.params.join(' | ')} at ${p.offset}: ${p.bytes} bytes, ${p.layout.kind}`)
    for (const p of s.phases) {
      lines.push(`  phase ${p.name}: ${p.weightBytes} bytes of weights, counter ${p.counter} signalled by ${p.signals}`)
      for (const role of roleNames) {
        if (p.roles[role].length === 0) continue
        lines.push(`    ${role}:`, ...p.roles[role].flatMap((step) => printStep(step, '      ', plan)))
      }
    }
  }
  return `${lines.join('\n')}\n`
}

/**
 * Source: a plan as one C++ file that both back ends compile.
 *
 * The skeleton is codegen/templates/engine.cu.hbs; everything in it that depends on the plan comes from here as text.
 * Invariants: the file depends on nothing but the plan (no dates, no paths of a machine), so it can be committed and
 * compared; its length does not grow with the number of layers of a kind.
 */
import { readFileSync } from 'node:fs'
import Handlebars from 'handlebars'
import {
  inTwoShots,
  type Kept,
  type PhasePlan,
  type Plan,
  type RoleName,
  roleNames,
  type SegmentPlan,
  type Step,
  type Tally,
} from '../../compiler/plan/ir.ts'
import { type EngineKind, engines } from '../engines.ts'
import { EmitContext, identifier } from './context.ts'
import { entryTables } from './entry-tables.ts'
import { phaseKernels } from './phase-kernels.ts'
import { emitHomes, regionNames } from './regions.ts'
import { rehearsalOf } from './rehearsal.ts'
import { emitAhead, emitOwn, emitSteps, ownTiles } from './steps.ts'
import { Writer } from './writer.ts'

export interface SourceOptions {
  readonly version: string
  /** `persistent`, one kernel for everything, when left out. */
  readonly engine?: EngineKind
  /** Text of engine.cu.hbs. */
  readonly template: string
  /** Ids that may be sampled. */
  readonly validIds: number
  /** `#line` for a phase: the author's file, relative to the model's folder, and the line. */
  readonly lineOf?: (
    phase: SegmentPlan['phases'][number],
  ) => { readonly file: string; readonly line: number } | undefined
}

export function emitSource(whole: Plan, options: SourceOptions): string {
  const kind = engines[options.engine ?? 'persistent']
  const { resident } = kind
  const plan = kind.lower(whole)
  const engine = Handlebars.create()
  const render = engine.compile(options.template, { noEscape: true, strict: true, knownHelpersOnly: true })
  return render({
    name: plan.name,
    version: options.version,
    ranks: plan.ranks,
    several: plan.ranks > 1,
    sms: plan.sms,
    sharedBytes: plan.sharedBytes,
    constants: constants(plan, options.validIds),
    names: names(plan),
    tables: entryTables(plan),
    segments: plan.segments.map((s) => ({
      name: s.name,
      layers: s.layers.map((l) => l.split('.').at(-1)).join(' '),
      body: segment(s, plan, options),
    })),
    resident,
    title: kind.title,
    collective: plan.segments.some((s) => s.phases.some((p) => p.leaves !== undefined)),
    phases: resident ? '' : phaseKernels(plan, phaseFunction),
    roles: resident ? rolePrograms(plan) : '',
    entryPoints: roleNames.map((r) => `TILE_ROLE void role_${r}(tile::Warp& w) { run_${r}(w); }`).join('\n'),
  })
}

export const readTemplate = (path: string): string => readFileSync(path, 'utf8')

const quoted = (names: readonly string[]): string => names.map((n) => `"${n}"`).join(', ')

const exchangeTypes = { f32: 'float', bf16: 'tile::bf16', exact: 'tile::i64' }

function constants(plan: Plan, validIds: number): string {
  const out = new Writer()
  const warps = (role: RoleName): number => plan.roles.find((r) => r.name === role)!.warps
  const counters = plan.tallies.filter((t) => t.scope === 'counter')
  const control = counters.length
  const line = (text: string): Writer => out.line(`  ${text}`)
  const ints = (o: Record<string, number>): Writer =>
    line(
      `static constexpr int ${Object.entries(o)
        .map(([k, v]) => `${k} = ${v}`)
        .join(', ')};`,
    )
  const sizes = (o: Record<string, number>): Writer =>
    line(
      `static constexpr size_t ${Object.entries(o)
        .map(([k, v]) => `${k} = ${v}`)
        .join(', ')};`,
    )
  ints({
    ranks: plan.ranks,
    sms: plan.sms,
    rows: 8,
    ctx: plan.ctx,
    valid_ids: validIds,
    programs: plan.programs.length,
    mask_token: maskToken(plan),
  })
  ints({ entries: plan.entries.length, phases: Math.max(...plan.segments.map((s) => s.phases.length)) })
  ints({
    load_warps: warps('load'),
    compute_warps: warps('compute'),
    epilogue_warps: warps('epilogue'),
    communicate_warps: warps('communicate'),
  })
  line(
    `static constexpr unsigned ring_page_bytes = ${plan.ring.pageBytes}, slots_bytes = ${plan.slots.bytes}, scratch_bytes = ${plan.scratchBytes};`,
  )
  ints({
    ring_depth: plan.ring.depth,
    join_depth: plan.join.depth,
    join_parts: plan.join.parts,
    join_squares: plan.join.squares,
  })
  line(`static constexpr bool has_means = ${plan.means};`)
  ints({
    experts: plan.route.experts,
    max_active: plan.route.maxActive,
    top_k: plan.route.topK,
    expert_group: plan.route.group,
    early_eighths: plan.route.earlyEighths,
  })
  line(`using Exchange = ${exchangeTypes[plan.exchangeAs]};`)
  const { areas } = plan
  sizes({ image_bytes: plan.imageBytes, kv_bytes: plan.kvBytes, workspace_bytes: plan.workspaceBytes })
  sizes({
    counters_at: areas.counters,
    abort_at: areas.abort,
    control_at: areas.control,
    control_inbox_at: areas.controlInbox,
  })
  sizes({
    decode_at: areas.decode,
    sampler_at: areas.sampler,
    history_at: areas.history,
    inbox_at: areas.inbox,
    logits_inbox_at: areas.logitsInbox,
  })
  if (plan.segments.some((s) => s.phases.some(inTwoShots))) sizes({ sums_inbox_at: areas.sumsInbox })
  sizes({ zeroed_bytes: areas.zeroed })
  ints({
    counters: control + 2,
    control_counter: control,
    control_left_counter: control + 1,
    local_counters: plan.tallies.filter((t) => t.scope === 'local').length,
  })
  line('static constexpr int warps = load_warps + compute_warps + epilogue_warps + communicate_warps;')
  line(
    `TILE_BOTH static constexpr unsigned arrivals(int counter) { return counter == control_counter ? 1 : counter == control_left_counter ? sms * warps : ${arrivals(counters)}; }`,
  )
  line(`TILE_BOTH static constexpr unsigned local_arrivals(int local) { return ${localArrivals(plan)}; }`)
  line(
    `static constexpr const char* counter_names[] = {${quoted([...counters.map((c) => c.name), 'round control', 'left round'])}};`,
  )
  const sites = [...plan.sites, 'round', 'relay', 'mailbox', 'sample']
  ints({
    sites: sites.length,
    site_round: sites.length - 4,
    site_relay: sites.length - 3,
    site_mailbox: sites.length - 2,
    site_sample: sites.length - 1,
  })
  out.line('  static constexpr const char* site_names[] = {')
  for (let i = 0; i < sites.length; i += 4) out.line(`    ${quoted(sites.slice(i, i + 4))},`)
  out.line('  };')
  const regions = regionNames(plan)
  ints({ regions: regions.length })
  out.line('  static constexpr const char* region_names[] = {')
  for (let i = 0; i < regions.length; i += 6) out.line(`    ${quoted(regions.slice(i, i + 6))},`)
  out.line('  };')
  return out.toString()
}

/** What an execution adds to a counter: the SMs, or tiles. */
const arrivals = (counters: readonly Tally[]): string =>
  counters.reduceRight(
    (rest, { tiles }, i) => (tiles === undefined ? rest : `counter == ${i} ? ${tiles} : ${rest}`),
    'sms',
  )

/** Warps that signal a local once in an execution. */
function localArrivals(plan: Plan): string {
  const locals = plan.tallies.filter((t) => t.scope === 'local')
  return locals.reduceRight((rest, { each }, i) => (each ? `local == ${i} ? ${each}_warps : ${rest}` : rest), '1')
}

/** The token that a draft's rows are fed: the one that its embedding has a vector for. */
function maskToken(plan: Plan): number {
  for (const s of plan.segments) {
    for (const p of s.phases) {
      for (const step of p.roles.compute)
        if (step.kind === 'embed' && step.phase.instead) return step.phase.instead.token
    }
  }
  return 0
}

function names(plan: Plan): string {
  const out = new Writer()
  const list = (title: string, items: readonly string[]): void => {
    out.line(`enum ${title} : int {`)
    for (let i = 0; i < items.length; i += 6) out.line(`  ${items.slice(i, i + 6).join(', ')},`)
    out.line('};')
  }
  const of = (scope: string): readonly string[] =>
    plan.tallies.filter((t) => t.scope === scope).map((t) => identifier(t.name))
  list(
    'Counter',
    of('counter').map((n) => `C_${n}`),
  )
  const rest = plan.tallies.map((t, i) => ({ t, i })).filter(({ t }) => t.scope !== 'counter')
  list(
    'Tally',
    rest.map(({ t, i }) => `T_${identifier(t.name)} = ${i}`),
  )
  list(
    'Local',
    of('local').map((n) => `L_${n}`),
  )
  list(
    'Region',
    regionNames(plan).map((name) => `R_${identifier(name)}`),
  )
  emitHomes(plan, out)
  out.line().line("// Byte offsets: buffers in the workspace; caches in their layer's part of the KV memory.")
  for (const b of plan.buffers) out.line(`constexpr size_t B_${identifier(b.name)} = ${b.offset};`)
  return out.toString()
}

const phaseFunction = (segment: SegmentPlan, phase: { readonly name: string }, role: string): string =>
  `${identifier(segment.name)}_${identifier(phase.name)}_${role}`

function segment(s: SegmentPlan, plan: Plan, options: SourceOptions): string {
  const out = new Writer()
  const ctx = new EmitContext(plan, out)
  const rehearsed = new Set<PhasePlan | undefined>(
    keptTogether(s.phases, 'compute').map((group) => rehearsalOf(group, 'compute')?.phase),
  )
  for (const phase of s.phases) {
    out.line(
      `// ---- ${s.name}.${phase.name}${phase.weightBytes > 0 ? `: ${mebibytes(phase.weightBytes)} of weights` : ''} ----`,
    )
    const line = options.lineOf?.(phase)
    for (const role of roleNames) {
      const steps = phase.roles[role]
      if (steps.length === 0) continue
      if (line) out.directive(`#line ${line.line} TILE_FILE("${line.file}", ${phaseFunction(s, phase, role)})`)
      const kept = keptBy(steps)
      ctx.rehearsed = role === 'compute' && rehearsed.has(phase)
      ctx.found = false
      const staged = `${kept ? `, Kept<${kept.units}>& kept` : ''}${ctx.rehearsed ? ', bool rehearsal' : ''}`
      out.block(`TILE_PHASE static void ${phaseFunction(s, phase, role)}(Warp& w, const At& at${staged})`, () => {
        const product = ownTiles(steps)
        if (product) emitOwn(product, role, ctx)
        emitAhead(steps, ctx)
        emitSteps(steps, role, ctx)
      })
    }
    out.line()
  }
  return out.toString()
}

/** What the phase keeps staged, or takes from a phase that did. */
function keptBy(steps: readonly Step[]): (Kept & { readonly units: number }) | undefined {
  for (const s of steps) if (s.kind === 'stage' && s.kept) return { ...s.kept, units: s.product.geometry.unitsPerPart }
  return undefined
}

/** Phases of a role, those that share what is staged and all between them in one group. */
function keptTogether(phases: readonly PhasePlan[], role: RoleName): PhasePlan[][] {
  const groups: PhasePlan[][] = []
  let open = false
  for (const p of phases) {
    const kept = keptBy(p.roles[role])
    if (open) groups.at(-1)!.push(p)
    else groups.push([p])
    if (kept) open = kept.role === 'keep'
  }
  return groups
}

const mebibytes = (bytes: number): string =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** What a role does of phases that share what is staged, or of one phase: each apart from the others, so that registers hold nothing but that. */
function groupOfPhases(group: readonly PhasePlan[], s: SegmentPlan, role: RoleName, out: Writer): void {
  const rehearsal = rehearsalOf(group, role)
  const call = (p: PhasePlan): void => {
    const name = phaseFunction(s, p, role)
    const shares = keptBy(p.roles[role]) !== undefined
    const last = p === rehearsal?.phase ? ', rehearsal' : ''
    const body = shares ? `[&](Warp& w, const At& at) { ${name}(w, at, kept${last}); }` : name
    const only = rehearsal && p !== group[0] && !last ? 'if (!rehearsal) ' : ''
    out.block(
      `${only}run(w, [${shares ? '&' : ''}](Warp& w, const At& at)`,
      () => out.line(`traced(w, at, ${s.phases.indexOf(p)}, ${body});`),
      ');',
    )
  }
  const kept = keptBy(group[0]!.roles[role])
  if (kept?.role === 'keep') out.line(`Kept<${kept.units}> kept;`)
  if (!rehearsal) {
    group.forEach(call)
    return
  }
  const [first, ...rest] = group
  call(first!)
  out.line(`// an SM without a tile of ${first!.name} goes through the code of ${rehearsal.phase.name} while it waits`)
  out.directive('TILE_LOOP')
  out.block(`for (bool rehearsal = rehearses(w, ${rehearsal.tiles}), again = true; again; rehearsal = false)`, () => {
    out.line('again = rehearsal;')
    rest.forEach(call)
  })
}

function rolePrograms(plan: Plan): string {
  const out = new Writer()
  for (const role of roleNames) {
    out.block(`static TILE_FN void run_${role}(Warp& w)`, () => {
      if (role === 'compute') out.line('called(w, [](Warp& w) { first_round(w); });')
      out.block('for (;;)', () => {
        out.line('if (begin_round(w).op == round_quit) return;')
        out.block('for (w.enter(0); w.entry() < Plan::entries; w.enter(w.entry() + 1))', () => {
          out.line('if (!this_round(w).runs(entry_program[w.entry()])) continue;')
          out.block('switch (entry_segment[w.entry()])', () => {
            plan.segments.forEach((s, i) => {
              const calls = s.phases.filter((p) => p.roles[role].length > 0)
              if (calls.length === 0) return
              out.block(`case ${i}:`, () => {
                out.line(`// ${s.name}`)
                for (const group of keptTogether(calls, role)) {
                  if (group.length === 1) groupOfPhases(group, s, role, out)
                  else out.block('', () => groupOfPhases(group, s, role, out))
                }
                out.line('break;')
              })
            })
            out.line('default: break;')
          })
        })
      })
    })
    out.line()
  }
  return out.toString()
}

/** `tilec inspect MODEL --at LEVEL`: a level of the compiler as text, or all of them as one page with pictures. */
import { writeFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import type { Compiled } from '../codegen/compile.ts'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { printGraph } from '../compiler/graph/print-graph.ts'
import { printPlan } from '../compiler/plan/print-plan.ts'
import { printPhases } from '../compiler/tile/print-phases.ts'
import { compileModel } from '../runtime/session/compile-model.ts'
import { chooseTarget, readTarget } from '../runtime/session/machine.ts'
import { type ResolvedModel, resolveModel } from '../runtime/session/resolve-model.ts'
import { type ModelOptions, modelRequest, type TargetOptions, withModel, withTarget } from './model-options.ts'
import { page } from './page/page.ts'
import { printReport, reportOf } from './report.ts'
import type { Terminal } from './terminal.ts'

/** Each level as text; what a level does not need is not computed. */
const levels = {
  graph: (r: ResolvedModel) => printGraph(r.model.graph),
  shard: (_, compiled) => compiled().sharded.map(printGraph).join('\n'),
  tile: (_, compiled) => printPhases(compiled().phases),
  plan: (_, compiled) => printPlan(compiled().plan),
  source: (_, compiled) => compiled().source,
} as const satisfies Record<string, (resolved: ResolvedModel, compiled: () => Compiled) => string>
export type Level = keyof typeof levels
const names = Object.keys(levels) as Level[]

interface InspectOptions extends ModelOptions, TargetOptions {
  readonly at?: Level
  readonly html?: string
}

const examples = `
Examples:
  tilec inspect nano                                   the graph
  tilec inspect nano --at plan --target host
  tilec inspect mimo-v2.5-pro --at tile --gpus 8 --target sm_90a
  tilec inspect nano --gpus 2 --html nano.html         every level, with pictures of graph and schedule, in one file`

export function addInspect(program: Command, terminal: Terminal): void {
  withTarget(withModel(program.command('inspect').description('show any level of the compiler')))
    .addOption(new Option('--at <level>', 'the level to print').choices(names))
    .option('--html <file>', 'write a page with pictures of the graph and of the schedule')
    .addHelpText('after', examples)
    .action((model: string, options: InspectOptions) => inspect(model, options, terminal))
}

async function inspect(name: string, options: InspectOptions, terminal: Terminal): Promise<void> {
  const target = await chooseTarget(readTarget(options.target), options.gpus)
  const resolved = resolveModel(modelRequest(name, options))
  let known: Compiled | undefined
  const compiled = (): Compiled => {
    known ??= compileModel(resolved, { target, gpus: options.gpus, ctx: options.ctx })
    return known
  }
  const show = (level: Level): string => levels[level](resolved, compiled)
  if (options.html === undefined) {
    terminal.out(show(options.at ?? 'graph'))
    return
  }
  const html = page({
    title: `${resolved.title}, ${target}, ${options.gpus} ${options.gpus === 1 ? 'rank' : 'ranks'}`,
    graph: resolved.model.graph,
    plan: compiled().plan,
    open: options.at ?? 'graph',
    texts: [['figures', printReport(reportOf(compiled(), target))], ...names.map((n) => [n, show(n)] as const)],
  })
  try {
    writeFileSync(options.html, html)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new DiagnosticError([diagnostic('TILE5110', `cannot write: ${reason}`, { subject: options.html })])
  }
  if (options.at !== undefined) terminal.out(show(options.at))
  terminal.err(`Wrote ${options.html}\n`)
}

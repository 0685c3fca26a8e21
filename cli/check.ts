/** `tilec check MODEL`: everything that can be found out without a C++ compiler, for each target that has a schedule. */
import type { Command } from 'commander'
import { DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
import { diagnosticsAsJson } from '../compiler/diagnostics/render.ts'
import { compileModel } from '../runtime/session/compile-model.ts'
import { readTarget, targets } from '../runtime/session/machine.ts'
import { defaultCtx } from '../runtime/session/open-model.ts'
import { type ResolvedModel, resolveModel } from '../runtime/session/resolve-model.ts'
import { type ModelOptions, modelRequest, whole, withModel } from './model-options.ts'
import { printJson, showDiagnostics, type Terminal } from './terminal.ts'

interface CheckOptions extends ModelOptions {
  readonly target?: string
  readonly gpus: number
  readonly ctx: number
  readonly json?: boolean
}

const examples = `
Examples:
  tilec check nano
  tilec check my/graph.ts --config my/config.json --gpus 8
  tilec check my/graph.ts --config my/config.json --json      for editors: {ok, diagnostics}`

export function addCheck(program: Command, terminal: Terminal): void {
  withModel(
    program.command('check').description('check a model: types, graph, config, schedules, memory, synchronisation'),
  )
    .option('--target <target>', 'host or sm_90a; all that the model has a schedule for when left out')
    .option('--gpus <n>', 'ranks: 1, 2, 4 or 8', whole, 1)
    .option('--ctx <n>', 'positions that a sequence may have', whole, defaultCtx)
    .option('--json', 'print an object')
    .addHelpText('after', examples)
    .action((model: string, options: CheckOptions) => check(model, options, terminal))
}

function check(name: string, options: CheckOptions, terminal: Terminal): void {
  try {
    const resolved = resolveModel(modelRequest(name, options))
    const lines = targetsOf(resolved, options).map((target) => {
      const { plan, warnings } = compileModel(resolved, { target, gpus: options.gpus, ctx: options.ctx })
      showDiagnostics(terminal, options.json ? [] : warnings, resolved.sources)
      const phases = plan.segments.reduce((n, s) => n + s.phases.length, 0)
      return { target, entries: plan.entries.length, phases, sites: plan.sites.length }
    })
    if (options.json) {
      printJson(terminal, {
        ok: true,
        model: resolved.model.name,
        targets: lines,
        diagnostics: json(resolved.warnings, resolved.sources),
      })
      return
    }
    showDiagnostics(terminal, resolved.warnings, resolved.sources)
    const { graph } = resolved.model
    terminal.out(`${resolved.title}: ${graph.nodes.length} ops, ${graph.params.length} parameters\n`)
    for (const l of lines) {
      terminal.out(
        `${l.target}, ${options.gpus} ${options.gpus === 1 ? 'rank' : 'ranks'}: ok (${l.phases} phases, ${l.sites} sync sites)\n`,
      )
    }
  } catch (error) {
    if (options.json && error instanceof DiagnosticError) {
      printJson(terminal, { ok: false, diagnostics: json(error.diagnostics, error.sources) })
      throw new DiagnosticError([])
    }
    throw error
  }
}

function targetsOf(resolved: ResolvedModel, { target }: CheckOptions) {
  if (target === undefined) {
    const has = targets.filter((t) => resolved.model.schedules.has(t))
    return has.length > 0 ? has : targets.slice(0, 1)
  }
  const choice = readTarget(target)
  return choice === 'auto' ? targets : [choice]
}

const json = (found: DiagnosticError['diagnostics'], sources: DiagnosticError['sources']): unknown =>
  JSON.parse(diagnosticsAsJson(found, (file) => sources?.get(file)))

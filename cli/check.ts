/**
 * `tilec check MODEL`: everything that can be found out without a C++ compiler, for each target that has a schedule; with
 * --numbers also what an engine computes, against the reference.
 */
import type { Command } from 'commander'
import { DiagnosticError, diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { diagnosticsAsJson } from '../compiler/diagnostics/render.ts'
import { targets } from '../runtime/build/toolchain.ts'
import { compareWithReference, readingsOf } from '../runtime/session/compare-reference.ts'
import { compileModel } from '../runtime/session/compile-model.ts'
import { readTarget } from '../runtime/session/machine.ts'
import { defaultCtx, openModel } from '../runtime/session/open-model.ts'
import { type ResolvedModel, resolveModel } from '../runtime/session/resolve-model.ts'
import { type ModelOptions, modelRequest, whole, withModel } from './model-options.ts'
import { progressLine } from './progress.ts'
import { printJson, showDiagnostics, type Terminal } from './terminal.ts'

interface CheckOptions extends ModelOptions {
  readonly target?: string
  readonly gpus: number
  readonly ctx: number
  readonly numbers?: boolean
  readonly json?: boolean
}

const examples = `
Examples:
  tilec check nano
  tilec check my/graph.ts --config my/config.json --gpus 8
  tilec check my/graph.ts --checkpoint weights --numbers
  tilec check my/graph.ts --config my/config.json --json      for editors: {ok, diagnostics}`

export function addCheck(program: Command, terminal: Terminal): void {
  withModel(
    program.command('check').description('check a model: types, graph, config, schedules, memory, synchronisation'),
  )
    .option('--target <target>', 'host or sm_90a; all that the model has a schedule for when left out')
    .option('--gpus <n>', 'ranks: 1, 2, 4 or 8', whole, 1)
    .option('--ctx <n>', 'positions that a sequence may have', whole, defaultCtx)
    .option(
      '--numbers',
      'also build for the host, and compare greedy tokens with the float64 reference (needs weights)',
    )
    .option('--json', 'print an object')
    .addHelpText('after', examples)
    .action((model: string, options: CheckOptions) => check(model, options, terminal))
}

async function check(name: string, options: CheckOptions, terminal: Terminal): Promise<void> {
  try {
    const resolved = resolveModel(modelRequest(name, options))
    const found = targetsOf(resolved, options).map((target) => {
      const { plan, proof, warnings } = compileModel(resolved, { target, gpus: options.gpus, ctx: options.ctx })
      const phases = plan.segments.reduce((n, s) => n + s.phases.length, 0)
      const { events, agents, milliseconds } = proof
      return { target, phases, sites: plan.sites.length, proof: { events, agents, milliseconds }, warnings }
    })
    const warnings = [...resolved.warnings, ...found.flatMap((f) => f.warnings)]
    if (!options.json) {
      showDiagnostics(terminal, warnings, resolved.sources)
      const { graph } = resolved.model
      terminal.out(`${resolved.title}: ${graph.nodes.length} ops, ${graph.params.length} parameters\n`)
      const ranks = `${options.gpus} ${options.gpus === 1 ? 'rank' : 'ranks'}`
      for (const f of found)
        terminal.out(
          `${f.target}, ${ranks}: ok (${f.phases} phases, ${f.sites} sync sites, proved in ${f.proof.milliseconds.toFixed(0)} ms)\n`,
        )
    }
    const numbers = options.numbers ? await compareNumbers(name, options, terminal) : undefined
    if (!options.json) return
    const targets = found.map(({ warnings: _, ...rest }) => rest)
    const diagnostics = json(warnings, resolved.sources)
    printJson(terminal, { ok: true, model: resolved.model.name, targets, ...(numbers && { numbers }), diagnostics })
  } catch (error) {
    if (!options.json || !(error instanceof DiagnosticError)) throw error
    printJson(terminal, { ok: false, diagnostics: json(error.diagnostics, error.sources) })
    throw new DiagnosticError([])
  }
}

/** Prompts of arbitrary tokens: what is compared is arithmetic, not text. */
function arbitraryPrompts(vocabulary: number): number[][] {
  let state = 1
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state % vocabulary
  }
  return [1, 7, 24, 40].map((length) => Array.from({ length }, next))
}

async function compareNumbers(name: string, options: CheckOptions, terminal: Terminal) {
  const progress = progressLine(terminal)
  const { gpus, ctx } = options
  const request = { ...modelRequest(name, options), target: 'host', gpus, ctx, onProgress: progress.show } as const
  const session = await openModel(request).finally(progress.done)
  try {
    const prompts = arbitraryPrompts(session.tokenizer.size)
    const compared = await compareWithReference(session, readingsOf(session), { prompts, count: 16 })
    const { tokens, closeCalls, mismatch } = compared
    if (mismatch) {
      const { prompt, at, engine, reference, gap, noise } = mismatch
      throw new DiagnosticError([
        diagnostic(
          'TILE5111',
          `after ${tokens} tokens the engine wrote ${engine}, the reference ${reference}, whose logit is ${gap.toFixed(4)} larger`,
          {
            notes: [
              { message: `prompt ${prompt} of ${prompts[prompt]!.length} tokens, token ${at}` },
              { message: `rounding to BF16 moves logits here by up to ${noise.toFixed(4)}` },
            ],
          },
        ),
      ])
    }
    const close = closeCalls.map((c) => `${c.gap.toFixed(4)} where rounding moves ${c.noise.toFixed(4)}`).join(', ')
    if (!options.json) {
      const calls =
        closeCalls.length === 0 ? '' : `; ${closeCalls.length} decided by rounding (logits apart by ${close})`
      terminal.out(`numbers: ${tokens} greedy tokens as the reference${calls}\n`)
    }
    return compared
  } finally {
    await session.close()
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

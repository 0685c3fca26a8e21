/**
 * A resolved model, compiled for a target: picks its schedule, brings the skeleton and the version, and names the lines of
 * the author's files for `#line`.
 *
 * Invariant: the result depends on the model, its config, the target, ranks, ctx and SMs alone, never on the machine.
 */
import { readFileSync } from 'node:fs'
import { type Compiled, compile } from '../../codegen/compile.ts'
import { readTemplate, type SourceOptions } from '../../codegen/emit/source.ts'
import type { EngineKind } from '../../codegen/engines.ts'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { positionOf } from '../../compiler/diagnostics/render.ts'
import type { LoadedModel } from '../../compiler/frontend/load-model.ts'
import type { Proof } from '../../compiler/verify/prove-plan.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import type { Target } from '../build/toolchain.ts'
import { asset } from '../paths.ts'
import { hopperSms } from './machine.ts'
import { type ResolvedModel, withSources } from './resolve-model.ts'

export interface CompileRequest {
  readonly target: Target
  /** Ranks: GPUs, or slabs of memory on the host. */
  readonly gpus: number
  /** Positions that a sequence may have. */
  readonly ctx: number
  /** SMs a rank, where the schedule names none. */
  readonly sms?: number
  /** The engine itself when left out; the others are controls (codegen/engines.ts). */
  readonly engine?: EngineKind | undefined
  /** Of an engine that was built before; whoever gives it compares the sources (engine-folder.ts). */
  readonly proved?: Proof | undefined
  /** The order of its plan is proved by the caller, beside other work (prove-beside.ts). */
  readonly orderLater?: boolean | undefined
}

const rankCounts = [1, 2, 4, 8]

export const packageVersion = (): string => {
  const json: unknown = JSON.parse(readFileSync(asset('package.json'), 'utf8'))
  return typeof json === 'object' && json !== null && 'version' in json ? String(json.version) : 'unknown'
}

export function compileModel(resolved: ResolvedModel, request: CompileRequest): Compiled {
  const { model, sources, drafter } = resolved
  checkRequest(request)
  const schedule = scheduleOf(model, request.target)
  return withSources(sources, () =>
    compile(model.graph, schedule, {
      ranks: request.gpus,
      ctx: request.ctx,
      target: { name: request.target, sms: request.sms ?? hopperSms },
      template: readTemplate(asset('codegen', 'templates', 'engine.cu.hbs')),
      version: packageVersion(),
      lineOf: lineOf(sources),
      engine: request.engine ?? 'persistent',
      proved: request.proved,
      orderLater: request.orderLater,
      ...(drafter && { drafter: { commit: drafter.built.commit, draft: drafter.built.draft } }),
    }),
  )
}

/** The schedule that a model has for a target. */
export function scheduleOf(model: LoadedModel, target: Target): Schedule {
  const schedule = model.schedules.get(target)
  if (schedule) return schedule
  throw new DiagnosticError([
    diagnostic('TILE5107', `model '${model.name}' has no schedule for ${target}`, {
      help:
        model.schedules.size > 0
          ? `it has one for ${[...model.schedules.keys()].join(', ')}`
          : 'export `schedules` from the model file: an object of schedules by target (docs/first-model.md)',
    }),
  ])
}

function checkRequest({ gpus, ctx, sms }: CompileRequest): void {
  const wrong = [
    ...(rankCounts.includes(gpus) ? [] : [`gpus is ${gpus}; it is one of ${rankCounts.join(', ')}`]),
    ...(Number.isInteger(ctx) && ctx >= 1 && ctx <= 2 ** 20
      ? []
      : [`ctx is ${ctx}; it is a whole number from 1 to 1048576`]),
    ...(sms === undefined || (Number.isInteger(sms) && sms >= 1) ? [] : [`sms is ${sms}; it is a whole number from 1`]),
  ]
  if (wrong.length > 0) throw new DiagnosticError(wrong.map((message) => diagnostic('TILE5108', message)))
}

const lineOf =
  (sources: ReadonlyMap<string, string>): NonNullable<SourceOptions['lineOf']> =>
  ({ span }) => {
    const text = span && sources.get(span.file)
    return span && text !== undefined ? { file: span.file, line: positionOf(text, span.start).line } : undefined
  }

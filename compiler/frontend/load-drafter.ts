/**
 * The drafter of a model file, for the config of a published drafter.
 *
 * A model file that can be drafted for exports `drafter` (defineDrafter) and `drafterWeights` (where its own parameters lie
 * in its folder). The order matters: the drafter's config says what the target must tap, so it is read before the target's
 * graph is built, and fits the target before anything is built at all.
 */
import type { ConfigSchema } from '../../dsl/builder.ts'
import type { Drafter } from '../../dsl/drafter.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { WeightSource } from '../../dsl/weights.ts'
import { DiagnosticError, type Session } from '../diagnostics/diagnostic.ts'
import { type BuiltDrafter, buildDrafter, checkDrafterFit, readDrafterConfig } from './build-drafter.ts'
import type { Exports } from './execute.ts'
import { readConfig } from './read-config.ts'

/** A config of a published drafter. */
export interface DrafterRequest {
  readonly config: unknown
  readonly configFile: string
  /** Nobody asked for it: it lies beside the weights. */
  readonly found?: true
}

export interface LoadedDrafter {
  readonly built: BuiltDrafter<unknown>
  /** Where its own parameters lie. */
  readonly weights: WeightSource<unknown>
}

/** What a model file offers, with the target's config completed. */
export interface Drafting {
  readonly targetConfig: unknown
  build(config: unknown, graph: Graph): LoadedDrafter | undefined
}

/** Undefined when something was reported: an error, or that a drafter which nobody asked for is left alone. */
export function prepareDrafting(
  exports: Exports,
  request: DrafterRequest,
  target: { readonly schema: ConfigSchema<unknown>; readonly json: unknown; readonly file: string | undefined },
  session: Session,
): Drafting | undefined {
  const { drafter, drafterWeights: weights } = exports
  const source = { subject: request.configFile }
  if (request.found && drafter === undefined) {
    session.report('TILE1105', 'the checkpoint comes with a drafter, which the model file cannot use', {
      ...source,
      severity: 'warning',
      help: 'export `drafter` and `drafterWeights` from the model file to draft with it; --drafter none says that this is meant',
    })
    return undefined
  }
  if (!isDrafter(drafter) || !isWeightSource(weights)) {
    session.report('TILE1006', 'the model file has no drafter, but one is asked for', {
      ...source,
      help: 'export `drafter` and `drafterWeights` from the model file, or leave --drafter out',
    })
    return undefined
  }
  return collecting(session, () => {
    const config = readDrafterConfig(drafter, request.config, source)
    const plain = readConfig(target.schema, target.json, session, { subject: target.file })
    if (!plain) return undefined
    checkDrafterFit(drafter, config, plain.value, source)
    return {
      targetConfig: { ...(target.json as object), ...drafter.section(config) },
      build: (config, graph) =>
        collecting(session, () => ({
          built: buildDrafter(drafter, request.config, { config, graph }, source),
          weights,
        })),
    }
  })
}

const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === 'object' && v !== null
const isDrafter = (v: unknown): v is Drafter => isRecord(v) && v.kind === 'drafter'
const isWeightSource = (v: unknown): v is WeightSource<unknown> => isRecord(v) && typeof v.bind === 'function'

/** Findings that are thrown join those of the session. */
function collecting<T>(session: Session, work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof DiagnosticError)) throw error
    session.diagnostics.push(...error.diagnostics)
    return undefined
  }
}

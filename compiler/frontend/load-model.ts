/**
 * Loads a model file: TypeScript in, graph, schedules and weight bindings out, every node with its span.
 *
 * Order: read the files, ask the TypeScript compiler, refuse what is not deterministic, execute, read the config, build
 * the graph twice and compare. A stage that reported errors is the last one.
 * What a model file exports: `default` (defineModel), `schedules` (by target, or a function of the config that gives
 * them), `weights` (where parameters lie in a checkpoint), `drafter` and `drafterWeights` (load-drafter.ts), and tile ops
 * under any name.
 */
import type { Model } from '../../dsl/builder.ts'
import type { Graph } from '../../dsl/graph.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import type { ScheduleText } from '../../dsl/schedule-text.ts'
import type { TileOp } from '../../dsl/tile.ts'
import type { TileProgram } from '../../dsl/tile-ir.ts'
import type { Binding, WeightSource } from '../../dsl/weights.ts'
import { type Diagnostic, Session } from '../diagnostics/diagnostic.ts'
import { printGraph } from '../graph/print-graph.ts'
import { authored } from './authored.ts'
import { reportTo, runModel } from './build-graph.ts'
import { checkDeterminism } from './check-determinism.ts'
import { type Exports, execute } from './execute.ts'
import { type DrafterRequest, type LoadedDrafter, prepareDrafting } from './load-drafter.ts'
import { readConfig } from './read-config.ts'
import { type ModelSources, readSources } from './source-files.ts'
import { typeCheck } from './type-check.ts'

export interface LoadOptions {
  /** Parsed config.json. */
  readonly config: unknown
  /** Where the config came from, for messages. */
  readonly configFile?: string
  /** Skip the TypeScript compiler: for models that were checked when this tilec was built. */
  readonly trusted?: boolean
  /** The drafter that shall come with the model. */
  readonly drafter?: DrafterRequest | undefined
}

export interface LoadedModel {
  readonly name: string
  readonly graph: Graph
  readonly config: unknown
  readonly schedules: ReadonlyMap<string, Schedule>
  /** One for each parameter, in the graph's order; empty when the model says nothing about checkpoints. */
  readonly bindings: readonly Binding[]
  /** The tile ops that the file exports, by name: for inspect. What the model computes with them is in the graph. */
  readonly tiles: ReadonlyMap<string, TileProgram>
  /** Prefixes of checkpoint tensors that the model does not read. */
  readonly unread: readonly string[]
  readonly drafter?: LoadedDrafter
}

export interface LoadResult {
  /** Undefined when a diagnostic is an error. */
  readonly model: LoadedModel | undefined
  readonly diagnostics: readonly Diagnostic[]
  /** Text of the model's files by the name that spans use. */
  readonly sources: ReadonlyMap<string, string>
}

export function loadModel(entry: string, options: LoadOptions): LoadResult {
  const session = new Session()
  const sources = readSources(entry, session)
  const model = load(sources, options, session)
  return { model: session.failed ? undefined : model, diagnostics: session.diagnostics, sources: sources.texts }
}

function load(sources: ModelSources, options: LoadOptions, session: Session): LoadedModel | undefined {
  if (!session.failed && !options.trusted) typeCheck(sources, session)
  if (!options.trusted) for (const m of sources.modules) checkDeterminism(m, session)
  if (session.failed) return undefined
  const exports = execute(sources, session)
  if (!exports) return undefined
  const model = exports.default
  const { file } = sources.modules.at(-1)!
  if (!isModel(model)) {
    session.report('TILE1002', `'${file}' does not export a model`, {
      subject: file,
      help: "export default defineModel('name', ConfigSchema, (m, cfg) => { ... })",
    })
    return undefined
  }
  const target = { schema: model.config, json: options.config, file: options.configFile }
  const drafting = options.drafter && prepareDrafting(exports, options.drafter, target, session)
  if (options.drafter && !drafting && session.failed) return undefined
  const json = drafting ? drafting.targetConfig : options.config
  const config = readConfig(model.config, json, session, { subject: options.configFile })
  if (!config) return undefined
  const graph = runModel(model, config.value, session)
  const schedules = readSchedules(exports, config.value, file, session)
  const tiles = traceTiles(exports, session)
  if (!graph) return undefined
  const again = runModel(model, config.value, session)
  if (again) compareBuilds(graph, again, session)
  const { bindings, unread } = bindWeights(exports, graph, config.value, file, session)
  const drafter = drafting?.build(config.value, graph)
  return {
    name: model.name,
    graph,
    config: config.value,
    schedules,
    tiles,
    bindings,
    unread,
    ...(drafter && { drafter }),
  }
}

const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === 'object' && v !== null
const isModel = (v: unknown): v is Model => isRecord(v) && v.kind === 'model'
const isSchedule = (v: unknown): v is Schedule | ScheduleText =>
  isRecord(v) && (v.kind === 'schedule' || v.kind === 'scheduleText')
const isWeightSource = (v: unknown): v is WeightSource<unknown> => isRecord(v) && typeof v.bind === 'function'

const isTileOp = (v: unknown): v is TileOp => isRecord(v) && v.kind === 'tileOp'

function traceTiles(exports: Exports, session: Session): ReadonlyMap<string, TileProgram> {
  const ops = Object.values(exports).filter(isTileOp)
  const tiles = new Map<string, TileProgram>()
  for (const op of ops) {
    const program = authored(`tile op '${op.name}'`, session, () => op.trace(reportTo(session)))
    if (program) tiles.set(op.name, program)
  }
  return tiles
}

function compareBuilds(first: Graph, second: Graph, session: Session): void {
  const [a, b] = [printGraph(first).split('\n'), printGraph(second).split('\n')]
  const at = a.findIndex((line, i) => line !== b[i])
  if (at < 0 && a.length === b.length) return
  const [one, two] = [a[at] ?? '(nothing)', b[at] ?? '(nothing)']
  const node = first.nodes.find((n) => one.trim().startsWith(`%${n.id} `))
  const param = first.params.find((p) => one.startsWith(`param ${p.name} `))
  session.report('TILE1011', 'two builds of the same config gave different graphs', {
    span: (node ?? param)?.span,
    notes: [{ message: `first:  ${one.trim()}` }, { message: `second: ${two.trim()}` }],
    help: 'state that outlives a build, such as a counter in the module, is the usual reason',
  })
}

function readSchedules(
  exports: Exports,
  config: unknown,
  file: string,
  session: Session,
): ReadonlyMap<string, Schedule> {
  const exported = exports.schedules ?? {}
  const give = typeof exported === 'function' ? (exported as (config: unknown) => unknown) : () => exported
  const given = authored("'schedules'", session, () => ({ found: give(config) }))
  const schedules = new Map<string, Schedule>()
  if (!given) return schedules
  const { found } = given
  if (!isRecord(found)) {
    session.report('TILE1006', `'schedules' must be an object of schedules by target, got ${typeof found}`, {
      subject: file,
    })
    return schedules
  }
  for (const [target, source] of Object.entries(found)) {
    if (!isSchedule(source)) {
      session.report('TILE1006', `schedules.${target} is no schedule`, {
        subject: file,
        help: 'write it as schedule`...` or scheduleOf({ ... })',
      })
      continue
    }
    const schedule = readSchedule(source, reportTo(session))
    if (schedule) schedules.set(target, schedule)
  }
  return schedules
}

function bindWeights(exports: Exports, graph: Graph, config: unknown, file: string, session: Session) {
  const source = exports.weights
  if (source === undefined) return { bindings: [], unread: [] }
  if (!isWeightSource(source)) {
    session.report('TILE1006', "'weights' must be an object with a function `bind`", { subject: file })
    return { bindings: [], unread: [] }
  }
  const bindings = graph.params.flatMap((param): Binding[] => {
    const binding = authored("'weights.bind'", session, () => source.bind(param, config))
    const rows = binding?.segments.reduce((n, s) => n + s.rows, 0)
    if (binding && rows === binding.rows) return [binding]
    const what = binding
      ? `has ${binding.rows} rows, but its segments have ${rows}`
      : "is in the graph, but 'weights' does not say where it lies in a checkpoint"
    session.report('TILE1007', `parameter '${param.name}' ${what}`, { span: param.span })
    return []
  })
  return { bindings, unread: source.unread }
}

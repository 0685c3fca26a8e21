/**
 * From what a user names to a model that can be compiled: a preset, a checkpoint folder or a model file, with its config
 * and, where there is one, the checkpoint that its weights come from.
 *
 * Vocabulary: the *family* of a checkpoint is the shipped model file that reads configs of its `model_type`.
 * Invariants: graph, config and bindings of what is returned belong together; a checkpoint's tensors have been compared
 * with the bindings; findings carry the sources that their spans point into.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Diagnostic,
  DiagnosticError,
  diagnostic,
  didYouMean,
  Session,
} from '../../compiler/diagnostics/diagnostic.ts'
import { reportTo } from '../../compiler/frontend/build-graph.ts'
import type { DrafterRequest, LoadedDrafter } from '../../compiler/frontend/load-drafter.ts'
import { type LoadedModel, type LoadResult, loadModel } from '../../compiler/frontend/load-model.ts'
import { loadPreset, presets } from '../../compiler/frontend/presets.ts'
import type { Graph } from '../../dsl/graph.ts'
import { readSchedule } from '../../dsl/schedule.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { scheduleFile } from '../../dsl/schedule-text.ts'
import type { Binding } from '../../dsl/weights.ts'
import { targets } from '../build/toolchain.ts'
import { bindParams } from '../checkpoint/bind.ts'
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts'
import { drafterFolder, drafterWeightsOf, openDrafterFolder } from '../checkpoint/drafter.ts'
import { readJsonFile } from '../checkpoint/json.ts'
import { matchWeights } from '../checkpoint/match.ts'
import { asset } from '../paths.ts'
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts'

export interface ModelRequest {
  /** A preset's name, a checkpoint folder, or a model file (.ts). */
  readonly model: string
  /** A config.json, for a model file or instead of the one that comes with a preset or a checkpoint. */
  readonly config?: string | undefined
  /** A folder with the weights. A checkpoint folder named as the model is its own. */
  readonly checkpoint?: string | undefined
  /** A drafter's folder, its config alone (a .json file), or `none`; when left out, the checkpoint's own `dflash/`, if the model has a use for it. */
  readonly drafter?: string | undefined
  /** A schedule in place of the model's own: a file with its text, or the schedule itself. */
  readonly schedule?: string | Schedule | undefined
}

/** The drafter that a model comes with. */
export interface ResolvedDrafter extends LoadedDrafter {
  /** Of its own parameters; the others are the target's. */
  readonly bindings: readonly Binding[]
  /** Where they lie; undefined for a config without weights. */
  readonly checkpoint?: Checkpoint | undefined
}

export interface ResolvedModel {
  /** As the user named it. */
  readonly title: string
  readonly model: LoadedModel
  readonly checkpoint: Checkpoint | undefined
  readonly drafter?: ResolvedDrafter | undefined
  readonly tokenizer: Tokenizer | undefined
  readonly warnings: readonly Diagnostic[]
  /** Text of the model's files by the name that spans use. */
  readonly sources: ReadonlyMap<string, string>
}

/** What stands for a drafter when none is wanted. */
const noDrafter = 'none'

interface ConfigFile {
  readonly json: unknown
  readonly file: string
}

/** Checkpoint folders of presets that come with their weights. */
const shipped: Readonly<Record<string, readonly string[]>> = { nano: ['models', 'mimo', 'nano'] }

/** The preset whose model file reads configs of a `model_type`. */
const families: Readonly<Record<string, string>> = { mimo_v2: 'mimo-v2.5-pro', mimo_v2_flash: 'mimo-v2-flash' }

export function resolveModel(request: ModelRequest): ResolvedModel {
  const folder = request.checkpoint ?? ownCheckpoint(request.model)
  const checkpoint = folder === undefined ? undefined : openCheckpoint(folder)
  const config = request.config !== undefined ? readConfigFile(request.config) : configOf(checkpoint)
  const drafts = drafterOf(request, checkpoint)
  const loaded = load(request, config, drafts?.config)
  const { diagnostics } = loaded
  if (!loaded.model) throw new DiagnosticError(diagnostics, loaded.sources)
  const given = givenSchedule(request.schedule)
  const sources = new Map([...loaded.sources, ...given.sources])
  const { schedule } = given
  const model = schedule ? { ...loaded.model, schedules: new Map(targets.map((t) => [t, schedule])) } : loaded.model
  return withSources(sources, () => {
    if (checkpoint && model.bindings.length === 0) {
      throw refused('TILE5106', `model '${model.name}' does not say where its weights lie in a checkpoint`, {
        help: 'export `weights` from the model file (docs/first-model.md)',
      })
    }
    if (checkpoint) matchWeights(checkpoint, model.bindings, model.unread)
    const drafter = model.drafter && drafts && { ...model.drafter, ...drafterStore(model.drafter, drafts.checkpoint) }
    const tokenizer = checkpoint?.tokenizer.tokenizer
      ? loadTokenizer(checkpoint.tokenizer, checkpoint.folder)
      : undefined
    return {
      title: request.model,
      model: tokenizer ? { ...model, graph: limitVocabulary(model.graph, tokenizer.size) } : model,
      checkpoint,
      drafter,
      tokenizer,
      warnings: [...diagnostics, ...(checkpoint?.warnings ?? []), ...(drafter?.checkpoint?.warnings ?? [])],
      sources,
    }
  })
}

/** The schedule that a request brings along, and the text that findings about it point into. */
function givenSchedule(given: ModelRequest['schedule']): {
  readonly schedule?: Schedule
  readonly sources: ReadonlyMap<string, string>
} {
  if (given === undefined) return { sources: new Map() }
  if (typeof given !== 'string') return { schedule: given, sources: new Map() }
  if (!existsSync(given)) throw refused('TILE5105', `there is no schedule file '${given}'`, {})
  const text = readFileSync(given, 'utf8')
  const sources = new Map([[given, text]])
  const session = new Session()
  const schedule = readSchedule(scheduleFile(given, text), reportTo(session))
  if (!schedule) throw new DiagnosticError(session.diagnostics, sources)
  return { schedule, sources }
}

/** Runs a later stage so that its findings can be shown with the lines that they are about. */
export function withSources<T>(sources: ReadonlyMap<string, string>, stage: () => T): T {
  try {
    return stage()
  } catch (error) {
    if (error instanceof DiagnosticError && !error.sources) throw new DiagnosticError(error.diagnostics, sources)
    throw error
  }
}

interface FoundDrafter {
  readonly checkpoint?: Checkpoint
  readonly config: DrafterRequest
}

/** The drafter that the request names, or that lies in the checkpoint. */
function drafterOf({ drafter }: ModelRequest, checkpoint: Checkpoint | undefined): FoundDrafter | undefined {
  const place = drafter === undefined ? checkpoint && drafterFolder(checkpoint.folder) : drafter
  if (place === undefined || place === noDrafter) return undefined
  if (place.endsWith('.json')) {
    const { json, file } = readConfigFile(place)
    return { config: { config: json, configFile: file } }
  }
  const found = openDrafterFolder(place)
  return {
    checkpoint: found,
    config: {
      config: found.config,
      configFile: join(place, 'config.json'),
      ...(drafter === undefined && { found: true }),
    },
  }
}

const drafterStore = (
  { built, weights }: LoadedDrafter,
  folder: Checkpoint | undefined,
): Omit<ResolvedDrafter, keyof LoadedDrafter> =>
  folder ? drafterWeightsOf(folder, built, weights) : { bindings: bindParams(weights, built.own, built.config) }

function ownCheckpoint(model: string): string | undefined {
  const parts = shipped[model]
  if (parts) return asset(...parts)
  return Object.hasOwn(presets, model) || !isFolder(model) ? undefined : model
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()
const isModelFile = (path: string): boolean => /\.[cm]?[jt]s$/.test(path)

function configOf(checkpoint: Checkpoint | undefined): ConfigFile | undefined {
  return checkpoint && { json: checkpoint.config, file: join(checkpoint.folder, 'config.json') }
}

function load(request: ModelRequest, config: ConfigFile | undefined, drafter?: DrafterRequest): LoadResult {
  if (Object.hasOwn(presets, request.model)) return loadPreset(request.model, config, drafter)
  if (isModelFile(request.model)) {
    if (config) return loadModel(request.model, { config: config.json, configFile: config.file, drafter })
    throw refused('TILE5103', `'${request.model}' is a model file; it needs a config`, {
      help: 'add --config config.json, or --checkpoint with a folder that has one',
    })
  }
  if (isFolder(request.model)) return loadPreset(familyOf(config!), config, drafter)
  const meant = didYouMean(request.model, Object.keys(presets))
  throw refused('TILE5101', `'${request.model}' is no model: not a preset, a checkpoint folder or a model file (.ts)`, {
    help: meant ? `did you mean '${meant}'?` : `presets are ${Object.keys(presets).join(', ')}`,
  })
}

function familyOf({ json, file }: ConfigFile): string {
  const type = typeof json === 'object' && json !== null && 'model_type' in json ? json.model_type : undefined
  const family = typeof type === 'string' && Object.hasOwn(families, type) ? families[type] : undefined
  if (family) return family
  throw refused('TILE5104', `no model that comes with tilec reads model_type ${JSON.stringify(type)}`, {
    subject: file,
    help: `known are ${Object.keys(families).join(', ')}; name a model file of your own and give this folder as --checkpoint`,
  })
}

function readConfigFile(path: string): ConfigFile {
  if (!existsSync(path)) throw refused('TILE5105', `there is no config file '${path}'`, {})
  const read = readJsonFile(path)
  if (read.ok) return { json: read.value, file: path }
  throw refused('TILE5105', `is not JSON: ${read.reason}`, { subject: path })
}

const refused = (...parts: Parameters<typeof diagnostic>): DiagnosticError =>
  new DiagnosticError([diagnostic(...parts)])

/** Vocabularies are padded; ids that the tokenizer does not know are never to be sampled. */
function limitVocabulary(graph: Graph, size: number): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((n) =>
      n.op === 'logits' ? { ...n, valid: Math.min(size, n.valid ?? size, n.dims[0]!.size) } : n,
    ),
  }
}

/**
 * Models that come with tilec, by name. Their files were type-checked when tilec was built, so loading skips that.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { didYouMean, Session } from '../diagnostics/diagnostic.ts'
import type { DrafterRequest } from './load-drafter.ts'
import { type LoadResult, loadModel } from './load-model.ts'
import { packageRoot } from './source-files.ts'

interface Preset {
  /** Within the package. */
  readonly entry: string
  readonly config: string
  /** The config of the drafter that was published with it, where its weights do not come along. */
  readonly drafter?: string
}

export const presets: Readonly<Record<string, Preset>> = {
  nano: { entry: 'models/mimo/graph.ts', config: 'models/mimo/nano/config.json' },
  'mimo-v2.5-pro': {
    entry: 'models/mimo/graph.ts',
    config: 'models/mimo/configs/mimo-v2.5-pro.json',
    drafter: 'models/mimo/configs/mimo-v2.5-pro-dflash.json',
  },
  'mimo-v2-flash': { entry: 'models/mimo/graph.ts', config: 'models/mimo/configs/mimo-v2-flash.json' },
}

/** The config of a preset's drafter, for those who make weights up. */
export function presetDrafter(name: string): string | undefined {
  const drafter = Object.hasOwn(presets, name) ? presets[name]?.drafter : undefined
  return drafter && join(packageRoot, drafter)
}

/** Loads a preset; `config` overrides the one that comes with it (a checkpoint's own config.json). */
export function loadPreset(
  name: string,
  config?: { readonly json: unknown; readonly file: string },
  drafter?: DrafterRequest,
): LoadResult {
  const preset = presets[name]
  if (!preset) {
    const names = Object.keys(presets)
    const meant = didYouMean(name, names)
    return refused('TILE1008', `unknown model '${name}'; models are ${names.join(', ')}`, {
      help: meant && `did you mean '${meant}'?`,
    })
  }
  const path = join(packageRoot, preset.config)
  if (!config && !existsSync(path)) {
    return refused('TILE1003', `there is no file '${preset.config}'`, { subject: packageRoot })
  }
  const { json, file } = config ?? { json: JSON.parse(readFileSync(path, 'utf8')) as unknown, file: preset.config }
  return loadModel(join(packageRoot, preset.entry), { config: json, configFile: file, trusted: true, drafter })
}

function refused(...what: Parameters<Session['report']>): LoadResult {
  const session = new Session()
  session.report(...what)
  return { model: undefined, diagnostics: session.diagnostics, sources: new Map() }
}

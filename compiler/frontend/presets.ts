/**
 * Models that come with tilec, by name. Their files were type-checked when tilec was built, so loading skips that.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiagnosticError, didYouMean, Session } from '../diagnostics/diagnostic.ts'
import { type LoadResult, loadModel } from './load-model.ts'
import { packageRoot } from './source-files.ts'

interface Preset {
  /** Within the package. */
  readonly entry: string
  readonly config: string
}

export const presets: Readonly<Record<string, Preset>> = {
  nano: { entry: 'models/mimo/graph.ts', config: 'models/mimo/nano/config.json' },
  'mimo-v2.5-pro': { entry: 'models/mimo/graph.ts', config: 'models/mimo/configs/mimo-v2.5-pro.json' },
  'mimo-v2-flash': { entry: 'models/mimo/graph.ts', config: 'models/mimo/configs/mimo-v2-flash.json' },
}

/** Loads a preset; `config` overrides the one that comes with it (a checkpoint's own config.json). */
export function loadPreset(name: string, config?: { readonly json: unknown; readonly file: string }): LoadResult {
  const preset = presets[name]
  if (!preset) {
    const session = new Session()
    const meant = didYouMean(name, Object.keys(presets))
    session.report('TILE1008', `unknown model '${name}'; models are ${Object.keys(presets).join(', ')}`, {
      help: meant && `did you mean '${meant}'?`,
    })
    throw new DiagnosticError(session.diagnostics)
  }
  const { json, file } = config ?? readPresetConfig(preset)
  return loadModel(join(packageRoot, preset.entry), { config: json, configFile: file, trusted: true })
}

function readPresetConfig(preset: Preset): { readonly json: unknown; readonly file: string } {
  const path = join(packageRoot, preset.config)
  if (!existsSync(path)) {
    const session = new Session()
    session.report('TILE1003', `there is no file '${preset.config}'`, { subject: preset.config })
    throw new DiagnosticError(session.diagnostics)
  }
  return { json: JSON.parse(readFileSync(path, 'utf8')), file: preset.config }
}

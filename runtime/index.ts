/**
 * What a program imports to compile and run models: `import { openModel } from 'tilec/runtime'`.
 *
 * openModel gives a session that writes text; resolveModel, compileModel and buildModel are the steps that it takes, for
 * tools. Everything that fails throws a DiagnosticError, whose diagnostics renderDiagnostics shows.
 */
export type { Compiled } from '../codegen/compile.ts'
export { type Diagnostic, DiagnosticError } from '../compiler/diagnostics/diagnostic.ts'
export { diagnosticsAsJson, renderDiagnostics } from '../compiler/diagnostics/render.ts'
export { presets } from '../compiler/frontend/presets.ts'
export type { Build } from './build/build-engine.ts'
export type { Target } from './build/toolchain.ts'
export type { DraftStats } from './decode/draft-stats.ts'
export type { DecodeOptions, DraftChoice, SamplingOptions } from './decode/sampling.ts'
export type { GenerationEvent, GenerationStats } from './decode/text-events.ts'
export type { FinishReason, LogProbs } from './engine/wire.ts'
export { buildModel } from './session/build-model.ts'
export { type CompileRequest, compileModel } from './session/compile-model.ts'
export { chooseTarget, findGpus, type Gpu, type TargetChoice } from './session/machine.ts'
export {
  type Completion,
  type GenerateOptions,
  type OpenOptions,
  openModel,
  type Progress,
  type Prompt,
  type Session,
} from './session/open-model.ts'
export { type ModelRequest, type ResolvedModel, resolveModel } from './session/resolve-model.ts'
export type { ChatMessage } from './tokenizer/chat.ts'

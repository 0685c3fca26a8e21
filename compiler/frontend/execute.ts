/**
 * Runs the instrumented files of a model in this process and returns what the entry exports.
 *
 * Each file becomes a function of its `require`, which knows the model's own files, the DSL and zod, and nothing else:
 * a model has no other way out than the globals that check-determinism refuses.
 * Invariant: the DSL that a model gets is the very one that the compiler uses, whatever path it was imported by.
 */
import { readFileSync } from 'node:fs'
import vm from 'node:vm'
import * as zod from 'zod'
import * as dsl from '../../dsl/index.ts'
import { atSpan } from '../../dsl/where.ts'
import { InternalError, type Session } from '../diagnostics/diagnostic.ts'
import { authored } from './authored.ts'
import { instrument } from './instrument.ts'
import type { Import, ModelModule, ModelSources } from './source-files.ts'

export type Exports = Readonly<Record<string, unknown>>
type Body = (
  exports: Exports,
  require: (specifier: string) => unknown,
  at: <T>(start: number, end: number, call: () => T) => T,
  file: string,
) => void

/** Compiled files by path and text: a server that loads a model twice compiles it once. */
const compiled = new Map<string, { readonly text: string; readonly body: Body }>()

function compile(module: ModelModule): Body {
  const known = compiled.get(module.path)
  if (known?.text === module.text) return known.body
  const code = `(function (exports, require, __at, __file) {${instrument(module)}\n})`
  const body = new vm.Script(code, { filename: module.path }).runInThisContext() as Body
  compiled.set(module.path, { text: module.text, body })
  return body
}

/** The exports of the last module; undefined when it threw, which is reported. */
export function execute(sources: ModelSources, session: Session): Exports | undefined {
  const loaded = new Map<string, Exports>()
  const run = (path: string): Exports => {
    const known = loaded.get(path)
    if (known) return known
    const module = sources.modules.find((m) => m.path === path)
    if (!module) throw new InternalError(`module '${path}' was resolved but not read`)
    const exports: Exports = {}
    loaded.set(path, exports)
    const provide: { readonly [K in Import['kind']]: (i: Extract<Import, { kind: K }>) => unknown } = {
      dsl: () => dsl,
      zod: () => zod,
      json: (i) => ({ default: JSON.parse(readFileSync(i.path, 'utf8')) }),
      module: (i) => run(i.path),
    }
    const require = (specifier: string): unknown => {
      const target = module.imports.get(specifier)
      if (!target) throw new InternalError(`import '${specifier}' of '${module.file}' was not resolved`)
      return (provide[target.kind] as (i: Import) => unknown)(target)
    }
    const at = <T>(start: number, end: number, call: () => T): T => atSpan({ file: module.file, start, end }, call)
    compile(module)(exports, require, at, module.file)
    return exports
  }
  return authored('the model file', session, () => run(sources.modules.at(-1)!.path))
}

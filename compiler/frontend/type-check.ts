/**
 * Asks the TypeScript compiler first: what an editor would underline, tilec refuses, at the same place and in the same
 * words. Where the DSL's types made the message a sentence, the sentence is the message.
 *
 * The model's own tsconfig.json is used where there is one; module resolution of 'tilec' and 'zod' always leads to this
 * tilec, so that types and execution agree.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Project, ts } from 'ts-morph'
import type { Session } from '../diagnostics/diagnostic.ts'
import { type ModelSources, packageRoot } from './source-files.ts'

export function typeCheck(sources: ModelSources, session: Session): void {
  const entry = sources.modules.at(-1)
  if (!entry) return
  const project = projectOf(ts.findConfigFile(dirname(entry.path), existsSync))
  for (const { path, text } of sources.modules) project.createSourceFile(path, text, { overwrite: true })
  const program = project.getProgram().compilerObject
  for (const { path, file } of sources.modules) {
    const source = program.getSourceFile(path)
    const found = source ? [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)] : []
    for (const d of found) {
      if (d.category !== ts.DiagnosticCategory.Error) continue
      const start = d.start ?? 0
      session.report('TILE1001', sentence(d), { span: { file, start, end: start + (d.length ?? 0) } })
    }
  }
}

/** Projects by their tsconfig: what they know of the DSL and of the language's own library is worth keeping. */
const projects = new Map<string | undefined, Project>()

function projectOf(tsConfigFilePath: string | undefined): Project {
  const known = projects.get(tsConfigFilePath)
  if (known) return known
  const project = new Project({
    ...(tsConfigFilePath && { tsConfigFilePath }),
    skipAddingFilesFromTsConfig: true,
    skipFileDependencyResolution: true,
    compilerOptions: { ...(tsConfigFilePath ? {} : defaults), ...forced },
  })
  projects.set(tsConfigFilePath, project)
  return project
}

const defaults: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts'],
  types: [],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
}

const dslTypes = [join(packageRoot, 'dsl', 'index.ts'), join(packageRoot, 'dist', 'dsl', 'index.d.ts')]
const forced: ts.CompilerOptions = {
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: false,
  resolveJsonModule: true,
  paths: {
    tilec: dslTypes.filter((f) => existsSync(f)).slice(0, 1),
    zod: [join(dirname(fileURLToPath(import.meta.resolve('zod'))), 'index.d.ts')],
  },
}

/** `... is not assignable to parameter of type '"linear: weight contracts over ..."'` says it in its last words. */
function sentence(d: ts.Diagnostic): string {
  const text = ts.flattenDiagnosticMessageText(d.messageText, '\n')
  const said = /is not assignable to parameter of type '"(\w+: .*)"'\.$/s.exec(text)
  return said ? said[1]! : `${text} (TS${d.code})`
}

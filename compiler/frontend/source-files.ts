/**
 * The files of a model: the entry and everything that it imports by a relative path.
 *
 * Vocabulary: a *module* is one such file, parsed, with its imports resolved; the *project* is the folder of the nearest
 * package.json, and spans name files relative to it, so that printed positions and `#line` do not depend on the machine.
 * Invariants: every import is a local file, 'tilec' (or the DSL's own index, from models that live in the package) or
 * 'zod'; anything else is reported; files are read once.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ts } from 'ts-morph'
import type { Span } from '../../dsl/span.ts'
import type { Session } from '../diagnostics/diagnostic.ts'

export type Import =
  | { readonly kind: 'module'; readonly path: string }
  | { readonly kind: 'json'; readonly path: string }
  | { readonly kind: 'dsl' }
  | { readonly kind: 'zod' }

export interface ModelModule {
  /** Absolute path. */
  readonly path: string
  /** Path as spans name it. */
  readonly file: string
  readonly text: string
  readonly ast: ts.SourceFile
  readonly imports: ReadonlyMap<string, Import>
}

export interface ModelSources {
  readonly project: string
  /** Dependencies first; the entry is last. */
  readonly modules: readonly ModelModule[]
  /** Text by the name that spans use, for printing. */
  readonly texts: ReadonlyMap<string, string>
}

/** The folder of tilec itself, in a checkout and when installed. */
export const packageRoot: string = nearestPackage(dirname(fileURLToPath(import.meta.url)))

function nearestPackage(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) return from
  }
}

export function readSources(entry: string, session: Session): ModelSources {
  const path = resolve(entry)
  const project = nearestPackage(dirname(path))
  const modules = new Map<string, ModelModule | undefined>()
  const texts = new Map<string, string>()

  const read = (path: string, from?: Span): void => {
    if (modules.has(path)) return
    modules.set(path, undefined)
    const file = relative(project, path).split(sep).join('/')
    if (!existsSync(path)) {
      session.report('TILE1003', `there is no file '${file}'`, { span: from, subject: from ? undefined : entry })
      return
    }
    const text = readFileSync(path, 'utf8')
    const ast = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.TS)
    texts.set(file, text)
    const imports = new Map<string, Import>()
    for (const specifier of specifiers(ast)) {
      const span: Span = { file, start: specifier.getStart(ast), end: specifier.getEnd() }
      const target = resolveImport(path, specifier.text, span, session)
      if (!target) continue
      imports.set(specifier.text, target)
      if (target.kind === 'module') read(target.path, span)
    }
    // Set again, so that the map's order has dependencies first.
    modules.delete(path)
    modules.set(path, { path, file, text, ast, imports })
  }
  read(path)
  return { project, texts, modules: [...modules.values()].filter((m) => m !== undefined) }
}

/** Module specifiers of all imports and re-exports that exist at run time. */
function specifiers(ast: ts.SourceFile): ts.StringLiteral[] {
  return ast.statements.flatMap((s) => {
    const imports = ts.isImportDeclaration(s) && !s.importClause?.isTypeOnly
    const exports = ts.isExportDeclaration(s) && !s.isTypeOnly
    const specifier = (imports || exports) && s.moduleSpecifier
    return specifier && ts.isStringLiteral(specifier) ? [specifier] : []
  })
}

function resolveImport(from: string, specifier: string, span: Span, session: Session): Import | undefined {
  if (specifier === 'tilec') return { kind: 'dsl' }
  if (specifier === 'zod') return { kind: 'zod' }
  if (specifier.startsWith('.')) {
    const path = resolve(dirname(from), specifier)
    const dsl = join(packageRoot, 'dsl')
    if (path === join(dsl, 'index.ts')) return { kind: 'dsl' }
    if (path.startsWith(dsl + sep)) {
      session.report('TILE1004', `'${specifier}' is inside the DSL`, { span, help: "import it from 'tilec'" })
      return undefined
    }
    if (path.endsWith('.json')) return { kind: 'json', path }
    return { kind: 'module', path: path.endsWith('.js') && !existsSync(path) ? `${path.slice(0, -2)}ts` : path }
  }
  if (isBuiltin(specifier)) {
    session.report(
      'TILE1012',
      `a model may not import '${specifier}': what it builds must depend on its config alone`,
      {
        span,
      },
    )
  } else {
    session.report('TILE1004', `a model may import 'tilec', 'zod' and its own files, not '${specifier}'`, { span })
  }
  return undefined
}

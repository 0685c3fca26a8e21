/**
 * Rewrites a model file so that everything it builds knows where it was written, and makes it executable.
 *
 * Two insertions: a call `f(x)` becomes `__at(start, end, () => f(x))`, and a schedule template gets the offsets of its
 * chunks: schedule.at(__file, [...])`...`. All calls are wrapped, not only the DSL's: a helper's call is where an
 * author looks when the op inside it comes from a library, and wrapping changes nothing else.
 * Invariants: line structure is kept, so stack traces of the result point at the right lines; calls inside an optional
 * chain, or that await or yield, are left alone because a function around them would change their meaning.
 */
import { ts } from 'ts-morph'
import type { ModelModule } from './source-files.ts'

interface Insertion {
  readonly at: number
  readonly text: string
}

export function instrument({ ast, text, imports, path }: ModelModule): string {
  const insertions: Insertion[] = []
  const isScheduleTag = scheduleTags(ast, (specifier) => imports.get(specifier)?.kind === 'dsl')

  const visit = (node: ts.Node): void => {
    const wrapped = ts.isCallExpression(node) && isWrappable(node)
    const start = node.getStart(ast)
    // Outer prefixes are inserted before inner ones, outer suffixes after inner ones.
    if (wrapped) insertions.push({ at: start, text: `__at(${start}, ${node.end}, () => ` })
    if (ts.isTaggedTemplateExpression(node) && isScheduleTag(node.tag)) {
      insertions.push({ at: node.tag.end, text: `.at(__file, ${JSON.stringify(chunks(node.template, text))})` })
    }
    if (!ts.isTypeNode(node)) ts.forEachChild(node, visit)
    if (wrapped) insertions.push({ at: node.end, text: ')' })
  }
  visit(ast)

  let out = ''
  let from = 0
  for (const { at, text: inserted } of insertions.toSorted((a, b) => a.at - b.at)) {
    out += text.slice(from, at) + inserted
    from = at
  }
  return transpile(out + text.slice(from), path)
}

function transpile(source: string, fileName: string): string {
  return ts.transpileModule(source, {
    fileName,
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, esModuleInterop: false },
  }).outputText
}

function isWrappable(node: ts.CallExpression): boolean {
  const { kind } = node.expression
  if (kind === ts.SyntaxKind.SuperKeyword || kind === ts.SyntaxKind.ImportKeyword) return false
  return !ts.isOptionalChain(node) && !suspends(node)
}

/** Whether evaluating `node` awaits or yields in the function that it stands in. */
function suspends(node: ts.Node): boolean {
  if (ts.isAwaitExpression(node) || ts.isYieldExpression(node)) return true
  if (ts.isFunctionLike(node)) return false
  return ts.forEachChild(node, suspends) ?? false
}

/** Recognises the tag by what the file imports, whatever it calls it. */
function scheduleTags(ast: ts.SourceFile, isDsl: (specifier: string) => boolean): (tag: ts.Expression) => boolean {
  const names = new Set<string>()
  const namespaces = new Set<string>()
  for (const s of ast.statements) {
    if (!ts.isImportDeclaration(s) || !ts.isStringLiteral(s.moduleSpecifier) || !isDsl(s.moduleSpecifier.text)) continue
    const bindings = s.importClause?.namedBindings
    if (bindings && ts.isNamespaceImport(bindings)) namespaces.add(bindings.name.text)
    if (!bindings || !ts.isNamedImports(bindings)) continue
    for (const e of bindings.elements) if ((e.propertyName ?? e.name).text === 'schedule') names.add(e.name.text)
  }
  return (tag) =>
    ts.isIdentifier(tag)
      ? names.has(tag.text)
      : ts.isPropertyAccessExpression(tag) &&
        tag.name.text === 'schedule' &&
        ts.isIdentifier(tag.expression) &&
        namespaces.has(tag.expression.text)
}

function chunks(template: ts.TemplateLiteral, text: string): { start: number; source: string }[] {
  const parts = ts.isNoSubstitutionTemplateLiteral(template)
    ? [template]
    : [template.head, ...template.templateSpans.map((s) => s.literal)]
  return parts.map((part) => {
    const start = part.getStart() + 1
    const closed = ts.isNoSubstitutionTemplateLiteral(part) || ts.isTemplateTail(part)
    return { start, source: text.slice(start, part.end - (closed ? 1 : 2)) }
  })
}

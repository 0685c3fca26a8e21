/**
 * Refuses what could make two builds of a model differ, or differ between machines: clocks, chance, the environment,
 * the network, code from text. It looks at names, not at values: a name that the file declares itself is its own.
 */
import { ts } from 'ts-morph'
import type { Session } from '../diagnostics/diagnostic.ts'
import type { ModelModule } from './source-files.ts'

/** Global names, and what is wrong with them. `Math` is fine except for one member. */
const chance = new Set(['Date', 'performance', 'crypto'])
const outside = new Set([
  'process',
  'globalThis',
  'global',
  'window',
  'self',
  'require',
  'eval',
  'Function',
  'fetch',
  'WebSocket',
  'XMLHttpRequest',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
])

export function checkDeterminism(module: ModelModule, session: Session): void {
  const { ast, file } = module
  const declared = declaredNames(ast)
  const report = (code: 'TILE1010' | 'TILE1012', node: ts.Node, what: string): void => {
    session.report(code, `a model may not use ${what}`, {
      span: { file, start: node.getStart(ast), end: node.getEnd() },
      help:
        code === 'TILE1010'
          ? 'two builds of the same config must give the same graph'
          : 'what a model depends on belongs in its config',
    })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || isTypeDeclaration(node)) return
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      report('TILE1012', node, 'import(): imports must be static')
    }
    if (ts.isMetaProperty(node)) report('TILE1012', node, 'import.meta')
    if (isMathRandom(node) && !declared.has('Math')) report('TILE1010', node, 'Math.random')
    if (ts.isIdentifier(node) && isReference(node) && !declared.has(node.text)) {
      if (chance.has(node.text)) report('TILE1010', node, node.text)
      if (outside.has(node.text)) report('TILE1012', node, node.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ast)
}

const isTypeDeclaration = (node: ts.Node): boolean => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)

function isMathRandom(node: ts.Node): boolean {
  const member = ts.isPropertyAccessExpression(node)
    ? node.name.text
    : ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)
      ? node.argumentExpression.text
      : undefined
  return (
    member === 'random' &&
    (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'Math'
  )
}

/** Whether an identifier stands for a variable, not for a member or a key. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  if (ts.isMethodDeclaration(parent) || ts.isPropertyDeclaration(parent)) return parent.name !== node
  return !(ts.isBindingElement(parent) && parent.propertyName === node)
}

function declaredNames(ast: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  const visit = (node: ts.Node): void => {
    const named =
      ts.isVariableDeclaration(node) ||
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isFunctionDeclaration(node) ||
      ts.isClassDeclaration(node) ||
      ts.isImportSpecifier(node) ||
      ts.isImportClause(node) ||
      ts.isNamespaceImport(node)
    if (named && node.name && ts.isIdentifier(node.name)) names.add(node.name.text)
    ts.forEachChild(node, visit)
  }
  visit(ast)
  return names
}

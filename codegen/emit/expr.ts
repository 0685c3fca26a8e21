/**
 * Scalar expressions as C++: float arithmetic, the same operations in the same order on both back ends.
 *
 * Invariant: constants print as float literals that read back as the same float32.
 */
import type { BinaryOp, ExprNode, UnaryOp } from '../../dsl/expr.ts'

const unary: Record<UnaryOp, (a: string) => string> = {
  neg: (a) => `-(${a})`,
  exp: (a) => `expf(${a})`,
  log: (a) => `logf(${a})`,
  sqrt: (a) => `sqrtf(${a})`,
  rsqrt: (a) => `inverse_sqrt(${a})`,
  sigmoid: (a) => `sigmoid(${a})`,
  tanh: (a) => `tanhf(${a})`,
  abs: (a) => `fabsf(${a})`,
  relu: (a) => `fmaxf(${a}, 0.0f)`,
}
const binary: Record<BinaryOp, (a: string, b: string) => string> = {
  add: (a, b) => `(${a} + ${b})`,
  sub: (a, b) => `(${a} - ${b})`,
  mul: (a, b) => `(${a} * ${b})`,
  div: (a, b) => `(${a} / ${b})`,
  min: (a, b) => `fminf(${a}, ${b})`,
  max: (a, b) => `fmaxf(${a}, ${b})`,
}

export function floatLiteral(value: number): string {
  const text = String(Math.fround(value) === value ? value : Number(Math.fround(value).toPrecision(9)))
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`
}

/** `names[i]` is the C++ name of input i. */
export function cppExpr(e: ExprNode, names: readonly string[]): string {
  switch (e.kind) {
    case 'const':
      return floatLiteral(e.value)
    case 'input':
      return names[e.index]!
    case 'unary':
      return unary[e.op](cppExpr(e.arg, names))
    case 'binary':
      return binary[e.op](cppExpr(e.left, names), cppExpr(e.right, names))
    case 'select':
      return `(${cppExpr(e.left, names)} < ${cppExpr(e.right, names)} ? ${cppExpr(e.then, names)} : ${cppExpr(e.other, names)})`
  }
}

/** `[](float x, float mean) { return ...; }` */
export function lambda(e: ExprNode, names: readonly string[]): string {
  const used = inputs(e)
  const params = names.map((n, i) => (used.has(i) ? `float ${n}` : 'float'))
  return `[](${params.join(', ')}) { return ${cppExpr(e, names)}; }`
}

function inputs(e: ExprNode, into = new Set<number>()): Set<number> {
  switch (e.kind) {
    case 'input':
      into.add(e.index)
      break
    case 'unary':
      inputs(e.arg, into)
      break
    case 'binary':
      inputs(e.left, into)
      inputs(e.right, into)
      break
    case 'select':
      for (const part of [e.left, e.right, e.then, e.other]) inputs(part, into)
      break
    case 'const':
      break
  }
  return into
}

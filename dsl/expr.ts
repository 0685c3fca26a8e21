/**
 * Scalar expressions: what an author writes where a model needs arithmetic of its own: an activation, a norm, a router's
 * score. They are traced from ordinary TypeScript (`(x) => x.mul(sigmoid(x))`), evaluated in float64 by the reference
 * and printed as C++ by codegen, so a new one needs no edit below dsl/.
 *
 * Vocabulary: an input is one of the numbered scalars that the op hands over; a condition is a comparison and only
 * occurs in `select`. Invariant: an expression is a tree without effects; evaluation order does not matter.
 */
export type UnaryOp = 'neg' | 'exp' | 'log' | 'sqrt' | 'rsqrt' | 'sigmoid' | 'tanh' | 'abs' | 'relu'
export type BinaryOp = 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max'

export type ExprNode =
  | { readonly kind: 'const'; readonly value: number }
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly arg: ExprNode }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly left: ExprNode; readonly right: ExprNode }
  /** `left < right ? then : other` */
  | {
      readonly kind: 'select'
      readonly left: ExprNode
      readonly right: ExprNode
      readonly then: ExprNode
      readonly other: ExprNode
    }

type Operand = Expr | number

/** A traced scalar; the fluent face of ExprNode. */
export class Expr {
  constructor(readonly node: ExprNode) {}
  add(o: Operand): Expr {
    return binary('add', this, o)
  }
  sub(o: Operand): Expr {
    return binary('sub', this, o)
  }
  mul(o: Operand): Expr {
    return binary('mul', this, o)
  }
  div(o: Operand): Expr {
    return binary('div', this, o)
  }
  min(o: Operand): Expr {
    return binary('min', this, o)
  }
  max(o: Operand): Expr {
    return binary('max', this, o)
  }
}

export const constant = (value: number): Expr => new Expr({ kind: 'const', value })
export const input = (index: number): Expr => new Expr({ kind: 'input', index })
const lift = (o: Operand): Expr => (typeof o === 'number' ? constant(o) : o)
const unary = (op: UnaryOp, a: Operand): Expr => new Expr({ kind: 'unary', op, arg: lift(a).node })
const binary = (op: BinaryOp, a: Operand, b: Operand): Expr =>
  new Expr({ kind: 'binary', op, left: lift(a).node, right: lift(b).node })

export const neg = (a: Operand): Expr => unary('neg', a)
export const exp = (a: Operand): Expr => unary('exp', a)
export const log = (a: Operand): Expr => unary('log', a)
export const sqrt = (a: Operand): Expr => unary('sqrt', a)
export const rsqrt = (a: Operand): Expr => unary('rsqrt', a)
export const sigmoid = (a: Operand): Expr => unary('sigmoid', a)
export const tanh = (a: Operand): Expr => unary('tanh', a)
export const abs = (a: Operand): Expr => unary('abs', a)
export const relu = (a: Operand): Expr => unary('relu', a)
/** `left < right ? then : other` */
export const selectLess = (left: Operand, right: Operand, then: Operand, other: Operand): Expr =>
  new Expr({
    kind: 'select',
    left: lift(left).node,
    right: lift(right).node,
    // biome-ignore lint/suspicious/noThenProperty: a node is never awaited
    then: lift(then).node,
    other: lift(other).node,
  })

/** Traces a TypeScript function of `arity` scalars. */
export function traceExpr(arity: number, fn: (...inputs: Expr[]) => Expr): ExprNode {
  return fn(...Array.from({ length: arity }, (_, i) => input(i))).node
}

const unaryRules: Record<UnaryOp, (a: number) => number> = {
  neg: (a) => -a,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  rsqrt: (a) => 1 / Math.sqrt(a),
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  abs: Math.abs,
  relu: (a) => Math.max(a, 0),
}
const binaryRules: Record<BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
}

/** Evaluates in float64. `inputs[i]` is the value of input i. */
export function evaluateExpr(e: ExprNode, inputs: readonly number[]): number {
  switch (e.kind) {
    case 'const':
      return e.value
    case 'input':
      return inputs[e.index]!
    case 'unary':
      return unaryRules[e.op](evaluateExpr(e.arg, inputs))
    case 'binary':
      return binaryRules[e.op](evaluateExpr(e.left, inputs), evaluateExpr(e.right, inputs))
    case 'select':
      return evaluateExpr(e.left, inputs) < evaluateExpr(e.right, inputs)
        ? evaluateExpr(e.then, inputs)
        : evaluateExpr(e.other, inputs)
  }
}

/** Replaces input i by `args[i]`; how two fused expressions become one. */
export function substitute(e: ExprNode, args: readonly ExprNode[]): ExprNode {
  switch (e.kind) {
    case 'const':
      return e
    case 'input':
      return args[e.index]!
    case 'unary':
      return { ...e, arg: substitute(e.arg, args) }
    case 'binary':
      return { ...e, left: substitute(e.left, args), right: substitute(e.right, args) }
    case 'select':
      return {
        ...e,
        left: substitute(e.left, args),
        right: substitute(e.right, args),
        // biome-ignore lint/suspicious/noThenProperty: a node is never awaited
        then: substitute(e.then, args),
        other: substitute(e.other, args),
      }
  }
}

const infix: Partial<Record<BinaryOp, string>> = { add: '+', sub: '-', mul: '*', div: '/' }

/** Prints with the given input names; the same text for inspect and, with `f` suffixes and calls, a basis for C++. */
export function printExpr(e: ExprNode, names: readonly string[]): string {
  switch (e.kind) {
    case 'const':
      return String(e.value)
    case 'input':
      return names[e.index] ?? `$${e.index}`
    case 'unary':
      return `${e.op}(${printExpr(e.arg, names)})`
    case 'binary': {
      const [l, r] = [printExpr(e.left, names), printExpr(e.right, names)]
      const op = infix[e.op]
      return op ? `(${l} ${op} ${r})` : `${e.op}(${l}, ${r})`
    }
    case 'select':
      return `(${printExpr(e.left, names)} < ${printExpr(e.right, names)} ? ${printExpr(e.then, names)} : ${printExpr(e.other, names)})`
  }
}

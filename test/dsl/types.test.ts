/** What an editor says: the text of type errors, from the compiler that the frontend uses. */
import { Project, ts } from 'ts-morph'
import { expect, test } from 'vitest'

const project = new Project({
  tsConfigFilePath: new URL('../../tsconfig.json', import.meta.url).pathname,
  skipAddingFilesFromTsConfig: true,
  skipFileDependencyResolution: true,
  compilerOptions: { noEmit: true },
})
const preamble = `
import { add, attention, bf16, combine, type Dim, dim, experts, expertLinear, linear, map, norm, rmsNorm, type Route, slice, type Tensor, weight } from '../../dsl/index.ts'
import { activation, matrix, result, tileOp } from '../../dsl/index.ts'
const hidden = dim('hidden', 384), inter = dim('inter', 1024), expert = dim('expert', 16)
const kv = dim('kv', 8), group = dim('group', 2), qd = dim('qd', 48), vd = dim('vd', 32)
declare const size: number
declare const x: Tensor<[typeof hidden]>, wide: Tensor<[typeof inter]>, route: Route
declare const q: Tensor<[typeof kv, typeof group, typeof qd]>, k: Tensor<[typeof kv, typeof qd]>, v: Tensor<[typeof kv, typeof vd]>
`
/** Messages of the errors of a program. */
function errors(program: string): string[] {
  const file = new URL('./snippet.ts', import.meta.url).pathname
  project.createSourceFile(file, preamble + program, { overwrite: true })
  const checked = project.getProgram().compilerObject
  const found = checked.getSemanticDiagnostics(checked.getSourceFile(file)!)
  return found.map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n').split('\n')[0]!)
}
const said = (message: string) => /parameter of type '"(.*)"'\.$/.exec(message)?.[1]

test.each([
  [
    "linear(x, weight('w', [hidden, inter], bf16))",
    "linear: weight contracts over 'inter' but input ends in 'hidden' — input is [hidden=384], weight is [hidden=384, inter=1024]",
  ],
  [
    "linear(x, weight('w', [inter, dim('hidden', 512)], bf16))",
    "linear: weight contracts over 'hidden=512' but input ends in 'hidden=384' — input is [hidden=384], weight is [inter=1024, hidden=512]",
  ],
  [
    "linear(q, weight('w', [hidden, kv, qd], bf16))",
    "linear: weight contracts over 'kv' but input ends in 'group' — input is [kv=8, group=2, qd=48], weight is [hidden=384, kv=8, qd=48]",
  ],
  ['add(x, wide)', 'add: shapes differ — [hidden=384] and [inter=1024]'],
  [
    "rmsNorm(x, weight('w', [inter], bf16), 1e-5)",
    "rmsNorm: weight contracts over 'hidden' but input ends in 'inter' — input is [inter=1024], weight is [hidden=384]",
  ],
  ["slice(x, 'inter', 0, [qd])", "slice: input has no dim 'inter' — input is [hidden=384]"],
  ['attention(q, k, wide, { scale: 1 })', 'attention: values must be [kv, value dim] — they are [inter=1024]'],
  ['attention(x, k, v, { scale: 1 })', 'attention: queries must be [kv, group, query dim] — they are [hidden=384]'],
  [
    'attention(q, v, v, { scale: 1 })',
    'attention: keys must be [kv, query dim]: shapes differ — [kv=8, vd=32] and [kv=8, qd=48]',
  ],
  [
    "expertLinear(x, route, weight('w', [expert, hidden, inter], bf16))",
    "expertLinear: weight contracts over 'inter' but input ends in 'hidden' — input is [hidden=384], weight is [expert=16, hidden=384, inter=1024]",
  ],
])('%s is refused in a sentence', (program, sentence) => {
  const found = errors(program)
  expect(found).toHaveLength(1)
  expect(said(found[0]!)).toBe(sentence)
})

test('run-time sizes: names are compared, sizes are not', () => {
  expect(errors("linear(x, weight('w', [inter, dim('hidden', size)], bf16))")).toEqual([])
  const found = errors("const h: Tensor<[Dim<'hidden'>]> = x; linear(h, weight('w', [inter, dim('q', size)], bf16))")
  expect(said(found[0]!)).toBe(
    "linear: weight contracts over 'q' but input ends in 'hidden' — input is [hidden], weight is [inter=1024, q]",
  )
})

test('shapes flow through a layer', () => {
  const layer = `
    const all = linear(x, weight('qkv', [kv, dim('qkv', 176), hidden], bf16))
    const queries: Tensor<[typeof kv, typeof group, typeof qd]> = slice(all, 'qkv', 0, [group, qd])
    const keys: Tensor<[typeof kv, typeof qd]> = slice(all, 'qkv', 96, [qd])
    const mixed: Tensor<[typeof kv, typeof group, typeof vd]> = attention(queries, keys, v, { scale: 1 })
    let y: Tensor<[typeof hidden]> = linear(mixed, weight('o', [hidden, kv, group, vd], bf16))
    y = add(y, rmsNorm(x, weight('n', [hidden], bf16), 1e-5))
    y = map(y, x, (a, b) => a.mul(b))
    y = experts(y, route, { gate: weight('g', [expert, inter, hidden], bf16), up: weight('u', [expert, inter, hidden], bf16), down: weight('d', [expert, hidden, inter], bf16) })
    const routed = expertLinear(y, route, weight('u', [expert, inter, hidden], bf16))
    const back: Tensor<[typeof inter]> = combine(routed, route)
  `
  expect(errors(layer)).toEqual([])
})

test('unknown shapes are left to run time', () => {
  expect(
    errors(
      "declare const t: Tensor; add(linear(t, weight('w', [hidden], bf16)), linear(x, weight('w', [hidden, hidden], bf16)))",
    ),
  ).toEqual([])
})

test('tile values are kinds of their own', () => {
  const found = errors(`tileOp('t', { x: activation, w: matrix, out: result }, (t, { x, w, out }) => {
    const [rows] = t.over(w.rows(16))
    const acc = t.zeros()
    t.loop(w.k(32), (k) => t.mma(acc, t.load(w.page(rows, k)), t.staged(x.at(k))))
    t.store(out.at(rows), t.join(acc))
  })`)
  expect(found).toEqual([
    `Argument of type 'Value<"page">' is not assignable to parameter of type 'Value<"fragment">'.`,
  ])
})

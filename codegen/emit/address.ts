/**
 * Addresses: where element (row n of the section, period `outer`, token row c) of a value lies in a buffer of each form,
 * printed as C++. docs/engine.md section 2 is the text that this follows; sizes are compiler/tile/forms.ts.
 */
import { InternalError } from '../../compiler/diagnostics/diagnostic.ts'
import { cacheSlots, ROWS, SPAN } from '../../compiler/tile/forms.ts'
import type { ElementStep, Form } from '../../compiler/tile/ir.ts'
import type { EmitContext } from './context.ts'
import type { ElementScope } from './elements.ts'

/** Row over all periods. */
const whole = (n: string, scope: ElementScope, size: number): string =>
  scope.rows === size ? n : `outer * ${scope.rows} + ${n}`

export function loadElement(buffer: string, n: string, scope: ElementScope, ctx: EmitContext): string {
  const { form } = ctx.buffer(buffer)
  if (form.kind !== 'plain')
    throw new InternalError(`elements are loaded from plain buffers, '${buffer}' is ${form.kind}`)
  if (form.parts !== undefined) throw new InternalError(`'${buffer}' lies in parts, only routing sums them`)
  return `w.ws<const float>(${ctx.offset(buffer)})[c * ${form.n} + ${whole(n, scope, form.n)}]`
}

type StoreRule<K extends Form['kind']> = (
  form: Extract<Form, { kind: K }>,
  n: string,
  value: string,
  scope: ElementScope,
  buffer: string,
  ctx: EmitContext,
) => string

const stores: { [K in Form['kind']]?: StoreRule<K> } = {
  plain: (f, n, v, s, b, ctx) =>
    `w.ws<float>(${ctx.offset(b)})[${f.parts === undefined ? 'c' : `(chunk * ${ROWS} + c)`} * ${f.n} + ${whole(n, s, f.n)}] = ${v};`,
  columns: (f, n, v, s, b, ctx) => `w.ws<bf16>(${ctx.offset(b)})[columns_at(${whole(n, s, f.n)}, c)] = to_bf16(${v});`,
  // `result`: the number of what this expert makes of the row
  routedRows: (f, n, v, s, b, ctx) =>
    `w.ws<bf16>(${ctx.offset(b)})[size_t(result) * ${f.n} + ${whole(n, s, f.n)}] = ${f.staged ? 'to_staged' : 'to_bf16'}(${v});`,
  queries: (f, n, v, _s, b, ctx) => {
    const rows = Math.ceil((8 * f.group) / 16) * 16
    return `w.ws<bf16>(${ctx.offset(b)})[(outer * ${rows} + c * ${f.group} + (${n}) / ${f.dim}) * ${f.dim} + (${n}) % ${f.dim}] = to_bf16(${v});`
  },
  keys: (f, n, v, _s, b, ctx) => cacheStore('k', f, n, v, b, ctx),
  values: (f, n, v, _s, b, ctx) => cacheStore('v', f, n, v, b, ctx),
  logits: (f, n, v, s, b, ctx) => `w.ws<float>(${ctx.offset(b)})[size_t(c) * ${f.n} + ${whole(n, s, f.local)}] = ${v};`,
}

/** A tap's rows lie behind those of the entry's earlier taps. */
function tappedStore(form: Form, n: string, value: string, scope: ElementScope, base: string): string {
  if (form.kind !== 'columns') throw new InternalError(`taps are staged in columns, not in ${form.kind}`)
  return `w.ws<bf16>(${base})[columns_at(at.taps * ${scope.rows} + ${n}, c)] = to_bf16(${value});`
}

function cacheStore(
  which: 'k' | 'v',
  f: Extract<Form, { kind: 'keys' | 'values' }>,
  n: string,
  v: string,
  buffer: string,
  ctx: EmitContext,
): string {
  const slots = cacheSlots(f.window, ctx.plan.ctx)
  const position = 'u32(at.block->position[c])'
  const span = `size_t(outer * ${slots} + ${position} / ${SPAN} % ${slots}) * ${which}_span_elements(${f.dim})`
  return `reinterpret_cast<bf16*>(${ctx.cache(buffer)})[${span} + ${which}_at(${position} % ${SPAN}, ${n}, ${f.dim})] = to_bf16(${v});`
}

export function storeElement(
  store: Extract<ElementStep, { kind: 'store' }>,
  n: string,
  value: string,
  scope: ElementScope,
  ctx: EmitContext,
): string {
  const { buffer } = store
  const { form } = ctx.buffer(buffer)
  if (store.tapped) return tappedStore(form, n, value, scope, ctx.offset(buffer))
  const rule = stores[form.kind] as StoreRule<Form['kind']> | undefined
  if (!rule) throw new InternalError(`elements are not stored in ${form.kind} form`)
  return rule(form as never, n, value, scope, buffer, ctx)
}

/**
 * Forms: how the values that pass between phases lie in memory. Each kind carries its size; where its elements lie is
 * docs/engine.md 2, and codegen/emit/address.ts prints it.
 *
 * Vocabulary: rows = 8 token rows of a block; a span is 64 consecutive key positions; slots = spans that a cache holds.
 * Invariant: sizes are multiples of 128 bytes, so that every buffer is aligned for bulk copies.
 */
import type { Form } from './ir.ts'

export const ROWS = 8
export const SPAN = 64
export const TILE_ROWS = 16
export const UNIT_K = 32

export interface FormContext {
  readonly ctx: number
  readonly ranks: number
}

/** Spans that a cache keeps: all of the context, or a ring that covers the window and the rows of a block. */
export function cacheSlots(window: number | undefined, ctx: number): number {
  const all = Math.ceil(ctx / SPAN)
  return window === undefined ? all : Math.min(all, Math.ceil((window + ROWS) / SPAN) + 1)
}

/** What a chunk costs by the span, and a merge by the chunk: the best chunk grows with the root of the cache. Measured: of 128 spans two, of 2188 eight. */
const CHUNK_GROWTH = 32

/** Spans of a chunk, whose keys make one partial result: a power of two, whoever computes it, so that a row's bits depend on no machine. */
export function chunkSpans(window: number | undefined, ctx: number): number {
  const slots = cacheSlots(window, ctx)
  let spans = 1
  while (CHUNK_GROWTH * (2 * spans) ** 2 <= slots) spans *= 2
  return spans
}
/** Chunks that visible keys can lie in: chunks are aligned to positions, a window is not. */
export function mostChunks(window: number | undefined, ctx: number): number {
  const slots = cacheSlots(window, ctx)
  const spans = chunkSpans(window, ctx)
  return Math.ceil(slots / spans) + (window !== undefined && spans > 1 ? 1 : 0)
}

/** Tiles of query rows of one KV head. */
export const mTilesOf = (group: number): number => Math.ceil((ROWS * group) / TILE_ROWS)

/** Tasks of an attention over so many chunks: the device's attend_tasks. A warp has one m tile, and SMs that would be left over share a chunk. */
export function attendTasks(
  a: { readonly kv: number; readonly mTiles: number },
  chunks: number,
  warps: number,
  sms: number,
): number {
  const all = a.kv * chunks
  return all * Math.max(Math.ceil(a.mTiles / warps), Math.min(a.mTiles, Math.floor(sms / all)))
}

/** Bytes of the queries that warps keep near while keys pass: an m tile a warp. */
export const queryBytes = (group: number, dim: number, warps: number): number =>
  Math.min(warps, mTilesOf(group)) * Math.ceil(dim / UNIT_K) * TILE_ROWS * UNIT_K * 2

/** Bytes of the K (or V) part of one span of one KV head. */
export const keySpanBytes = (dim: number): number => SPAN * Math.ceil(dim / UNIT_K) * UNIT_K * 2
export const valueSpanBytes = (dim: number): number => SPAN * Math.ceil(dim / 8) * 8 * 2

type SizeRules = { [K in Form['kind']]: (form: Extract<Form, { kind: K }>, ctx: FormContext) => number }

const sizes: SizeRules = {
  plain: (f) => (f.parts ?? 1) * ROWS * f.n * 4,
  columns: (f) => Math.ceil(f.n / UNIT_K) * 512,
  routedRows: (f) => ROWS * f.topK * f.n * 2,
  queries: (f) => f.kv * mTilesOf(f.group) * TILE_ROWS * f.dim * 2,
  keys: (f, c) => f.kv * cacheSlots(f.window, c.ctx) * keySpanBytes(f.dim),
  values: (f, c) => f.kv * cacheSlots(f.window, c.ctx) * valueSpanBytes(f.dim),
  partials: (f, c) => f.kv * mostChunks(f.window, c.ctx) * f.mTiles * 16 * (f.dim + 2) * 4,
  logits: (f) => ROWS * f.n * 4,
  firsts: (f) => ROWS * (f.sms ?? 1) * 8,
}

/** Bytes of a buffer; for caches, of one layer. */
export function formBytes(form: Form, ctx: FormContext): number {
  const rule = sizes[form.kind] as (form: Form, ctx: FormContext) => number
  return Math.ceil(rule(form, ctx) / 128) * 128
}

export const isCache = (form: Form): boolean => form.kind === 'keys' || form.kind === 'values'

export function printForm(form: Form): string {
  const { kind, ...fields } = form
  return `${kind}(${Object.entries(fields)
    .map(([k, v]) => `${k} ${v}`)
    .join(', ')})`
}

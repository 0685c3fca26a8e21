/**
 * Where parameters come from: a pure description of how the logical parameters of a graph map to checkpoint tensors.
 *
 * Vocabulary: a parameter is seen as a matrix of output *rows* by contraction *columns* (a vector is one row); a
 * *segment* is a run of its rows that lies consecutively in one tensor; segments in order make up the parameter.
 * A scale grid has a *period*: rows count from zero again each `period` tensor rows, each period owning
 * ceil(period / block rows) scale rows of its own; the period of an ordinary grid is the tensor's height.
 * Invariants: shapes are those of the file as stored (two 4-bit codes a byte), so that a checkpoint reader can compare
 * them literally; nothing here reads a file.
 */
import type { Param } from './graph.ts'

export type StoredDtype = 'F32' | 'BF16' | 'F8_E4M3' | 'U8'

export interface StoredTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** Accepted dtypes; all of them convert exactly to the parameter's format. */
  readonly dtypes: readonly StoredDtype[]
}

export interface ScaleGrid {
  readonly tensor: StoredTensor
  /** Tensor rows after which the grid starts afresh. */
  readonly period: number
  /** Rows and columns (elements, not bytes) that share one scale. */
  readonly block: readonly [rows: number, columns: number]
}

export interface Segment {
  readonly tensor: StoredTensor
  readonly firstRow: number
  readonly rows: number
  readonly scale?: ScaleGrid
}

export interface Binding {
  readonly param: string
  readonly rows: number
  readonly columns: number
  readonly segments: readonly Segment[]
}

/** What a model file exports as `weights`. */
export interface WeightSource<Config> {
  /** The segments of one parameter; undefined when the model has no rule for it, which is an error of the model. */
  readonly bind: (param: Param, config: Config) => Binding | undefined
  /** Tensors that a checkpoint may carry and this model does not read, by prefix. */
  readonly unread: readonly string[]
}

/** The scale row of tensor row `row`. */
export function scaleRow(grid: ScaleGrid, row: number): number {
  const [blockRows] = grid.block
  return (
    Math.floor(row / grid.period) * Math.ceil(grid.period / blockRows) + Math.floor((row % grid.period) / blockRows)
  )
}

/** The height of a scale grid over a tensor of `rows` rows. */
export const scaleRows = (rows: number, period: number, blockRows: number): number =>
  (rows / period) * Math.ceil(period / blockRows)

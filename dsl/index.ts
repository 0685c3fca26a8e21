/**
 * What a model file imports: `import { defineModel, dim, linear } from 'tilec'`.
 */
export { applyTile, type TileOperands } from './apply-tile.ts'
export { type AttentionOptions, attention, type RememberOptions, remember } from './attention.ts'
export { type ConfigSchema, defineModel, type GraphBuilder, type Model, range } from './builder.ts'
export { type Dim, dim, parallelDim, sizeOf } from './dim.ts'
export { type Drafter, type DrafterPrograms, defineDrafter } from './drafter.ts'
export {
  abs,
  constant,
  type Expr,
  exp,
  log,
  neg,
  relu,
  rsqrt,
  selectLess,
  sigmoid,
  sqrt,
  tanh,
} from './expr.ts'
export {
  bf16,
  type CodeFormat,
  e2m1,
  e4m3,
  f32,
  fp8Block128,
  mxfp4,
  type ScaledFormat,
  type WeightFormat,
} from './format.ts'
export type { Param } from './graph.ts'
export { experts, type GatedOptions, siluGate, swiglu } from './library/feed-forward.ts'
export { attendTile, expertDownTile, expertUpTile, linearTile, pairedTile } from './library/tiles.ts'
export {
  add,
  combine,
  expertLinear,
  linear,
  map,
  mul,
  type NormRule,
  norm,
  type RouteOptions,
  rmsNorm,
  rope,
  route,
  scale,
  silu,
  slice,
} from './ops.ts'
export type { Problem, Report } from './problem.ts'
export { type ScheduleSpec, scheduleOf } from './schedule.ts'
export type { Schedule } from './schedule-ir.ts'
export { type ScheduleText, schedule } from './schedule-text.ts'
export type { Dims } from './shapes.ts'
export { type Route, Tensor, type Weight, weight } from './tensor.ts'
export {
  activation,
  cache,
  expertMatrix,
  matrix,
  pairedExpertMatrix,
  pairedMatrix,
  result,
  routing,
  type TileOp,
  tileOp,
} from './tile.ts'
export {
  type Binding,
  type ScaleGrid,
  type Segment,
  type StoredDtype,
  type StoredTensor,
  scaleRow,
  scaleRows,
  type WeightSource,
} from './weights.ts'

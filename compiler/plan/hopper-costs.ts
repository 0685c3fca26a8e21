/**
 * What things cost on an H200: the constants of the cost model, measured once (CUDA 13.0, driver 580), each with where it
 * comes from. They predict (predict.ts) and decide nothing, but for one: in how many shots a sum over ranks travels (choose-shots.ts).
 *
 * Vocabulary: a *hand-over* is from the last SM's signal until every SM has seen it; *cold* code runs for the first time in
 * a round, so that its instructions are fetched as well.
 */

import type { Shots } from '../../dsl/schedule-ir.ts'

/** Bytes a microsecond that a bulk-copy ring in every SM streams from memory: 4.53 to 4.58 TB/s. */
export const streamBytesPerUs = 4.55e6

/** A grid barrier of 132 SMs, one counter, acquire polling: 0.93 us. */
export const handoverUs = 0.93

/** What one rank's part of a sum over ranks comes to, and the sum itself. */
export interface HopBytes {
  readonly partBytes: number
  readonly sumBytes: number
}

const oneRow = 6144 * 2
type Measured = readonly (readonly [bytes: number, us: number])[]
const rows = (...us: readonly (readonly [rows: number, us: number])[]): Measured => us.map(([n, t]) => [n * oneRow, t])
/**
 * A sum over ranks inside a resident kernel, tagged 16-byte packets, all ranks polled together: us by bytes of a part, measured with 1, 8 and 16
 * rows of 6144 BF16. In one shot everybody pushes to everybody; in two, parts go to owners and sums come back, both of the same size.
 * Two shots of 1 row were measured on 8 ranks only: on fewer, that takes what 8 rows take. One rank exchanges nothing.
 */
const exchanges: Readonly<Record<number, Readonly<Record<Shots, Measured>>>> = {
  2: { 1: rows([1, 1.17], [8, 1.2], [16, 1.31]), 2: rows([8, 2.28], [16, 2.31]) },
  4: { 1: rows([1, 1.55], [8, 1.93], [16, 2.9]), 2: rows([8, 2.68], [16, 2.99]) },
  8: { 1: rows([1, 2.37], [8, 3.68], [16, 6.1]), 2: rows([1, 2.65], [8, 3.51], [16, 4.1]) },
}

/** Between what was measured time grows evenly, below it stays, above it goes on as between the last two. The hops of two shots may differ in size: each counts half. */
export function exchangeUs(ranks: number, shots: Shots, { partBytes, sumBytes }: HopBytes): number {
  const measured = exchanges[ranks]![shots]
  const bytes = shots === 1 ? partBytes : (partBytes + sumBytes) / 2
  const above = measured.findIndex(([at]) => bytes <= at)
  if (above === 0) return measured[0]![1]
  const [[from, least], [to, most]] = measured.slice(above < 0 ? -2 : above - 1) as [Measured[0], Measured[0]]
  return least + ((most - least) * (bytes - from)) / (to - from)
}

/** Logits of all ranks to rank 0, one hop and nothing to add: taken for a sum of 8 rows x 6144, not measured by itself. */
export const gatherUs = (ranks: number): number =>
  exchangeUs(ranks, 1, { partBytes: 8 * oneRow, sumBytes: 16 * oneRow })

/** Bytes a microsecond that one SM reads of a value in L2 while it stages: 8 x 6144 BF16 took 4.5 us. */
export const stageBytesPerUs = 22_000

/** Weights a clock that one SM multiplies with 8 rows, `mma.sync`, 12 to 16 warps, codes decoded: 40 to 42. */
export const weightsPerClock = 42
export const clocksPerUs = 1755

/** From the last multiplication to a stored result: join, element steps, role barrier, release (two MEMBARs and a RED). */
export const finishUs = 1.5

/** Attention of m tiles, a warp each, over a task's first span with its queries and its partial result, and over each further one; eight warps an SM. */
export const attendColdUs = 3.5
export const attendAgainUs = 3.1

/** Attention over a short window by the warps of one SM, a trip to L2 and the merge included: an estimate. */
export const nearUs = 3

/** Merging the spans of a window, and the routing decision of 8 rows over 384 experts, both cold. */
export const mergeUs = 4
export const routeUs = 6.5
export const pointwiseUs = 1

/** Looking at a share of 8 rows of 152,576 logits (two trips to L2, whatever their number); from what the SMs have found to the next round's control, with a result across the bus. */
export const firstsUs = 1.8
export const sampleUs = 30

/**
 * What things cost on an H200: the constants of the cost model, measured once (CUDA 13.0, driver 580), each with where it
 * comes from. Nothing else in the compiler depends on them.
 *
 * Vocabulary: a *hand-over* is from the last SM's signal until every SM has seen it; *cold* code runs for the first time in
 * a round, so that its instructions are fetched as well.
 */

/** Bytes a microsecond that a bulk-copy ring in every SM streams from memory: 4.53 to 4.58 TB/s. */
export const streamBytesPerUs = 4.55e6

/** A grid barrier of 132 SMs, one counter, acquire polling: 0.93 us. */
export const handoverUs = 0.93

/** One-shot push all-reduce of 8 rows x 6144 inside a resident kernel, by ranks: 1.20, 1.93, 3.68 us; one rank sends itself packets. */
export const exchangeUs = (ranks: number): number => (ranks === 1 ? 0.6 : ranks === 2 ? 1.2 : ranks <= 4 ? 1.93 : 3.68)

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

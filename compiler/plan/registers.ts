/**
 * registers: how many a compute warp needs for the input of a product that it keeps staged.
 *
 * Vocabulary: a *unit* is 32 k by 8 rows. A warp that cannot hold all units of its part of k stages those of one page at a
 * time, anew for each tile (*restaged*).
 */
/** Staged unit, tile of sums. */
const PER_UNIT = 4
const PER_SUM = 4
/** Registers a lane needs besides: addresses, loop, dequantised fragments. */
const BESIDES = 36

/** Registers a lane of a warp that keeps so many units staged. */
export const stagedRegisters = (units: number): number => units * PER_UNIT + PER_SUM + BESIDES

/** Units that a warp with so many registers a lane can keep staged. */
export const mostStaged = (registers: number): number => Math.floor((registers - PER_SUM - BESIDES) / PER_UNIT)

/**
 * choose-shots: in how many shots a sum over ranks travels, where the schedule does not say.
 *
 * One shot is one hop over the links, and every rank gets the parts of all ranks; two shots are two hops, but a rank gets only an
 * equal share of all parts, and one sum of each tile. So more ranks and more bytes speak for two. The costs are those of
 * hopper-costs.ts, measured for an exchange by itself; what a machine makes of a whole engine, `tilec tune` measures.
 * Invariant: the choice changes no bit: parts are added in rank order, and a sum is rounded to float once, wherever it is made.
 */
import type { ExchangeType, Shots } from '../../dsl/schedule-ir.ts'
import { ROWS, TILE_ROWS } from '../tile/forms.ts'
import { exchangeUs, type HopBytes } from './hopper-costs.ts'

/**
 * Two shots must promise at least this part less. The table is of kernels that do nothing else: here tiles are sent as SMs finish
 * them, one by one, and the warp that owns a tile stands between two hops. What it loses there must not eat what the table says.
 */
export const leastGain = 0.1

/** A tile in packets of 16 bytes, which carry three floats, six bf16 or one fixed-point number. */
const PACKETS: Readonly<Record<ExchangeType, number>> = { f32: 43, bf16: 22, exact: 128 }
/** Bytes of a tile's part, and of its sum, which is of floats whatever the parts are. */
export const partBytes = (as: ExchangeType): number => PACKETS[as] * 16
export const sumBytes = PACKETS.f32 * 16

const NUMBER_BYTES: Readonly<Record<ExchangeType, number>> = { f32: 4, bf16: 2, exact: 8 }

/** The numbers of one rank's part of a sum of so many tiles, and of the sum, without what packets add to them. */
export function hopBytes(tiles: number, as: ExchangeType): HopBytes {
  const numbers = tiles * TILE_ROWS * ROWS
  return { partBytes: numbers * NUMBER_BYTES[as], sumBytes: numbers * NUMBER_BYTES.f32 }
}

export function chooseShots(ranks: number, tiles: number, as: ExchangeType): Shots {
  const bytes = hopBytes(tiles, as)
  return exchangeUs(ranks, 2, bytes) < (1 - leastGain) * exchangeUs(ranks, 1, bytes) ? 2 : 1
}

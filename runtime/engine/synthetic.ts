/**
 * Synthetic weights in TypeScript: any element by its row and column in the whole tensor (codegen/device/engine/synthetic.h
 * is what engines run).
 */
const f = Math.fround

export function hashU32(seed: number, row: number, column: number): number {
  let h = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(row, 0x85ebca77) ^ Math.imul(column, 0xc2b2ae3d)) >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) >>> 0
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0
  return (h ^ (h >>> 16)) >>> 0
}

export function syntheticNumber(seed: number, row: number, column: number, mean: number, amplitude: number): number {
  const unit = f(f((hashU32(seed, row, column) >>> 8) * 2 ** -23) - 1)
  return f(unit * f(amplitude) + f(mean))
}

export function syntheticE4m3(seed: number, row: number, column: number): number {
  const code = hashU32(seed, row, column) & 0xff
  return (code & 0x7f) === 0x7f ? code ^ 1 : code
}

export const syntheticE2m1 = (seed: number, row: number, column: number): number =>
  (hashU32(seed, row, column >>> 3) >>> ((column % 8) * 4)) & 15

/** The byte of the block of 32 columns. */
export function syntheticE8m0(seed: number, row: number, block: number, amplitude: number): number {
  const exponent = new Uint32Array(new Float32Array([amplitude]).buffer)[0]! >>> 23
  return exponent - 2 - (hashU32(~seed, row, block) & 1)
}

/** The multiplier of a 128 x 128 block. */
export const syntheticScale = (seed: number, row: number, block: number, amplitude: number): number =>
  f(f(amplitude) * f(2 ** -8 + f((hashU32(~seed, row, block) >>> 24) * 2 ** -17)))

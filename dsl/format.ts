/**
 * Weight formats: how the numbers of a parameter are stored in a checkpoint.
 *
 * Vocabulary: a *plain* format stores each element as a float; a *scaled* format stores small *codes* and one scale for
 * each block of `block[0]` output rows by `block[1]` contraction columns; the value is `codes.values[code] * scale`.
 * A code format is its value table and nothing else, so an author defines a new quantisation by its table.
 * Invariants: a code table has 2^bits entries; a 4-bit code sits in the low nibble for even columns, in the high nibble
 * for odd ones (MXFP4 as published by OCP, and as MiMo ships it).
 */
export type Scalar = 'f32' | 'bf16'

export interface CodeFormat {
  readonly name: string
  readonly bits: 4 | 8
  /** The value of each code, `2 ** bits` entries; NaN marks codes that a checkpoint must not contain. */
  readonly values: readonly number[]
}

export interface PlainFormat {
  readonly kind: 'plain'
  readonly scalar: Scalar
}

export interface ScaledFormat {
  readonly kind: 'scaled'
  readonly codes: CodeFormat
  /** Output rows by contraction columns that share one scale. */
  readonly block: readonly [rows: number, columns: number]
  /** `f32`: a multiplier; `e8m0`: a byte b that means 2^(b-127), 255 being illegal. */
  readonly scale: 'f32' | 'e8m0'
}

export type WeightFormat = PlainFormat | ScaledFormat

/** OCP E2M1: sign, two exponent bits, one mantissa bit. */
export const e2m1: CodeFormat = {
  name: 'e2m1',
  bits: 4,
  values: [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6],
}

/** OCP E4M3FN: largest value 448, no infinities, 0x7F and 0xFF are NaN. */
export const e4m3: CodeFormat = {
  name: 'e4m3',
  bits: 8,
  values: Array.from({ length: 256 }, (_, code) => {
    const sign = code & 0x80 ? -1 : 1
    const exponent = (code >> 3) & 15
    const mantissa = code & 7
    if (exponent === 15 && mantissa === 7) return Number.NaN
    return sign * (exponent === 0 ? (mantissa / 8) * 2 ** -6 : (1 + mantissa / 8) * 2 ** (exponent - 7))
  }),
}

export const f32: PlainFormat = { kind: 'plain', scalar: 'f32' }
export const bf16: PlainFormat = { kind: 'plain', scalar: 'bf16' }
/** FP8 with one F32 multiplier for each 128 x 128 block. */
export const fp8Block128: ScaledFormat = { kind: 'scaled', codes: e4m3, block: [128, 128], scale: 'f32' }
/** MXFP4: e2m1 codes, one e8m0 byte for 32 consecutive columns of a row. */
export const mxfp4: ScaledFormat = { kind: 'scaled', codes: e2m1, block: [1, 32], scale: 'e8m0' }

export function printFormat(f: WeightFormat): string {
  return f.kind === 'plain' ? f.scalar : `${f.codes.name}/${f.block.join('x')}:${f.scale}`
}

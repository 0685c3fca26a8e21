/** The middle of a few measurements, and how far they lie apart. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly greatest: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
}

export const spread = (values: readonly number[]): Spread => ({
  median: median(values),
  least: values.length > 0 ? Math.min(...values) : 0,
  greatest: values.length > 0 ? Math.max(...values) : 0,
})

/**
 * Named dimensions: the only way shapes are written in tilec.
 *
 * Vocabulary: a dim has a name and a size; a *parallel* dim is one that tensor parallelism may split over the ranks of
 * a node (KV heads, the inner channels of experts, the vocabulary). Two tensors agree where their dims agree by name and
 * by size; a number alone never stands for a dim.
 * Invariant: size is a positive integer.
 */
export interface Dim<Name extends string = string, Size extends number = number> {
  readonly name: Name
  readonly size: Size
  readonly parallel: boolean
}

/** A dim that every rank holds whole. Throws RangeError when `size` is not a positive integer. */
export function dim<const Name extends string, const Size extends number>(name: Name, size: Size): Dim<Name, Size> {
  return checked({ name, size, parallel: false })
}

/** A dim that is split evenly over the ranks of a node, one contiguous slice each. */
export function parallelDim<const Name extends string, const Size extends number>(
  name: Name,
  size: Size,
): Dim<Name, Size> {
  return checked({ name, size, parallel: true })
}

function checked<D extends Dim>(d: D): D {
  if (!Number.isInteger(d.size) || d.size <= 0) {
    throw new RangeError(`dim '${d.name}' must have a positive integer size, got ${d.size}`)
  }
  return d
}

/** `hidden=384`, as dims appear in printed IR and in messages. */
export const printDim = (d: Dim): string => `${d.name}=${d.size}`
export const printDims = (dims: readonly Dim[]): string => `[${dims.map(printDim).join(', ')}]`
export const sizeOf = (dims: readonly Dim[]): number => dims.reduce((n, d) => n * d.size, 1)
export const sameDim = (a: Dim, b: Dim): boolean => a.name === b.name && a.size === b.size

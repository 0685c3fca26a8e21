/**
 * The element types that a safetensors header may name, and how many bits an element takes.
 * A type that is listed is one that a file may hold; what a weight may be stored as is for its binding to say.
 */
export const dtypeBits = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  F4: 4,
  U16: 16,
  I16: 16,
  F16: 16,
  BF16: 16,
  U32: 32,
  I32: 32,
  F32: 32,
  U64: 64,
  I64: 64,
  F64: 64,
} as const

export type Dtype = keyof typeof dtypeBits

export const isDtype = (name: string): name is Dtype => Object.hasOwn(dtypeBits, name)

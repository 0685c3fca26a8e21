/**
 * Source spans. Every node that an author caused carries one, so that any later finding can point at the author's file.
 *
 * Vocabulary: a span is a half-open range [start, end) of UTF-16 offsets in one file; lines and columns are computed
 * only when a diagnostic is printed. Spans never take part in equality, hashing or printing of IR.
 */
export interface Span {
  readonly file: string
  readonly start: number
  readonly end: number
}

/**
 * Where the author is: the source span of the call that is being executed right now.
 *
 * The frontend rewrites each call `f(x)` of a model file to `__at(start, end, () => f(x))`; whatever is built inside
 * takes the innermost span. Library code is not rewritten, so an op that a composite builds points at the author's call
 * of the composite. Without the frontend there are no spans and everything else works.
 * Invariant: the stack is balanced, also when a call throws.
 */
import type { Span } from './span.ts'

const stack: Span[] = []
let thrownAt: { error: unknown; span: Span } | undefined

/** The span of the innermost call in progress. */
export const currentSpan = (): Span | undefined => stack.at(-1)

/** Runs `call` as the call that stands at `span`. */
export function atSpan<T>(span: Span, call: () => T): T {
  stack.push(span)
  try {
    return call()
  } catch (error) {
    // The innermost call sees the error first; outer ones must not move the blame outwards.
    if (thrownAt?.error !== error) thrownAt = { error, span }
    throw error
  } finally {
    stack.pop()
  }
}

/** The span of the innermost call that `error` left, if it left one. */
export const spanOfThrown = (error: unknown): Span | undefined =>
  thrownAt?.error === error ? thrownAt?.span : undefined

/** What a node stores: a span property, or none. */
export function spanned(): { readonly span?: Span } {
  const span = currentSpan()
  return span ? { span } : {}
}

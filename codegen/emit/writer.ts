/**
 * Writer: lines of C++ with indentation. Emitters call it; nothing else builds source text.
 *
 * Invariant: a block closes what it opens; a line holds no newline.
 */
export class Writer {
  readonly #lines: string[] = []
  #depth = 0

  line(text = ''): this {
    this.#lines.push(text === '' ? '' : '  '.repeat(this.#depth) + text)
    return this
  }
  /** `head {` (or a brace alone), the body one level deeper, `}` and an optional tail. */
  block(head: string, body: () => void, tail = ''): this {
    this.line(head === '' ? '{' : `${head} {`)
    this.#depth++
    body()
    this.#depth--
    return this.line(`}${tail}`)
  }
  /** A preprocessor line, never indented. */
  directive(text: string): this {
    this.#lines.push(text)
    return this
  }
  toString(): string {
    return this.#lines.join('\n')
  }
}

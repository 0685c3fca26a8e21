/**
 * Decoding a stream of tokens: text as early as it is certain, never half a character.
 *
 * A token may end in the middle of a UTF-8 sequence; its bytes wait until the rest arrives. Bytes that can never become
 * a character turn into U+FFFD, as in the decoding of the whole.
 * Invariant: the pieces, joined, are the decoding of all tokens at once.
 */
export interface TextDecoderStream {
  /** The text that became certain with `id`; often empty, never a broken character. */
  push(id: number): string
  /** Ends the stream: what is left of an unfinished character, as U+FFFD. */
  end(): string
}

export interface TokenBytes {
  bytes(id: number): Uint8Array
  isSpecial(id: number): boolean
}

export function createTextDecoder(
  tokens: TokenBytes,
  options: { readonly skipSpecial?: boolean } = {},
): TextDecoderStream {
  // a byte order mark is text like any other here
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  return {
    push: (id) => (options.skipSpecial && tokens.isSpecial(id) ? '' : utf8.decode(tokens.bytes(id), { stream: true })),
    end: () => utf8.decode(),
  }
}

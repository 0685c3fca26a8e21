/**
 * Byte-level BPE spells every byte as one printable character (GPT-2's table), so that a vocabulary is plain text.
 * Bytes that print as themselves keep their character; the others, in order, take the characters from U+0100 on.
 */
const printable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff)

/** The character of each byte. */
export const byteCharacters: readonly string[] = (() => {
  let next = 0x100
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++))
})()

const byteOf: ReadonlyMap<string, number> = new Map(byteCharacters.map((c, b) => [c, b]))

/** The bytes that a token of the vocabulary spells, or undefined when it is not spelled in this alphabet. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = byteOf.get(token[i]!)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

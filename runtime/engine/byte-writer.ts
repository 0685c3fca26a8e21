/**
 * A growing byte array with the few number types that binary records have. Little endian.
 * `count` is the caller's: how many records it has written.
 */
export class ByteWriter {
  private data = new Uint8Array(4096)
  private view = new DataView(this.data.buffer)
  length = 0
  count = 0
  private room(n: number): number {
    if (this.length + n > this.data.length) {
      const grown = new Uint8Array(Math.max(this.data.length * 2, this.length + n))
      grown.set(this.data)
      this.data = grown
      this.view = new DataView(grown.buffer)
    }
    const at = this.length
    this.length += n
    return at
  }
  u32(...values: readonly number[]): this {
    for (const v of values) {
      const at = this.room(4)
      this.view.setUint32(at, v >>> 0, true)
    }
    return this
  }
  f32(value: number): this {
    const at = this.room(4)
    this.view.setFloat32(at, value, true)
    return this
  }
  u64(value: number): this {
    const at = this.room(8)
    this.view.setBigUint64(at, BigInt(value), true)
    return this
  }
  append(bytes: Uint8Array): this {
    const at = this.room(bytes.length)
    this.data.set(bytes, at)
    return this
  }
  bytes(): Uint8Array {
    return this.data.subarray(0, this.length)
  }
  /** What was written, padded with zeros to a multiple of 8. */
  padded(): Uint8Array {
    while (this.length % 8 !== 0) this.room(1)
    return this.bytes()
  }
}

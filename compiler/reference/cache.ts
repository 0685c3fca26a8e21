/**
 * A key and value cache: plain arrays indexed by absolute position. Programs that name the same cache share it.
 *
 * Vocabulary: `length` counts the positions that hold a key, always 0..length-1 without holes. A later block may write a
 * position again (rows that a decode round rejected); nothing older than the write can have read it by then.
 */
export interface KvCache {
  readonly keys: Float64Array
  readonly values: Float64Array
  readonly length: number
  write(position: number, key: Float64Array, value: Float64Array): void
}

export function createKvCache(keyWidth: number, valueWidth: number): KvCache {
  let keys = new Float64Array(64 * keyWidth)
  let values = new Float64Array(64 * valueWidth)
  let length = 0
  return {
    get keys() {
      return keys
    },
    get values() {
      return values
    },
    get length() {
      return length
    },
    write(position, key, value) {
      if (position > length) throw new RangeError(`position ${position} leaves a hole: the cache ends at ${length}`)
      if ((position + 1) * keyWidth > keys.length) {
        keys = doubled(keys)
        values = doubled(values)
      }
      keys.set(key, position * keyWidth)
      values.set(value, position * valueWidth)
      length = Math.max(length, position + 1)
    },
  }
}

function doubled(array: Float64Array): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(array.length * 2)
  grown.set(array)
  return grown
}

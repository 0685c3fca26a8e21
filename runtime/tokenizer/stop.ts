/**
 * Stop strings in a stream of text.
 *
 * Text that may be the beginning of a stop string is held back until it is clear whether it is one. The stream ends with
 * the first stop string to be completed; of two that end at the same character, with the longer one.
 * Invariant: what comes out, joined, does not depend on how the text was cut into pieces, and ends exactly where the
 * stop string begins.
 */
export interface StopMatcher {
  /** Text that is certain not to belong to a stop string; `stop` once one is complete. Nothing follows it. */
  push(text: string): { readonly text: string; readonly stop?: string }
  /** The stream ended: the text that was held back. */
  end(): string
}

export function createStopMatcher(stops: readonly string[]): StopMatcher {
  if (stops.includes('')) throw new RangeError('a stop string must not be empty')
  let held = ''
  let stopped: string | undefined
  return {
    push(text) {
      if (stopped !== undefined) return { text: '', stop: stopped }
      const pending = held + text
      const match = firstCompleted(pending, stops)
      if (match) {
        held = ''
        stopped = match.stop
        return { text: pending.slice(0, match.at), stop: match.stop }
      }
      const keep = longestBeginning(pending, stops)
      held = pending.slice(pending.length - keep)
      return { text: pending.slice(0, pending.length - keep) }
    },
    end() {
      const rest = held
      held = ''
      return rest
    },
  }
}

function firstCompleted(text: string, stops: readonly string[]): { stop: string; at: number } | undefined {
  let best: { stop: string; at: number; end: number } | undefined
  for (const stop of stops) {
    const at = text.indexOf(stop)
    if (at < 0) continue
    const end = at + stop.length
    if (!best || end < best.end || (end === best.end && at < best.at)) best = { stop, at, end }
  }
  return best
}

/** The length of the longest end of `text` that begins a stop string. */
function longestBeginning(text: string, stops: readonly string[]): number {
  let longest = 0
  for (const stop of stops) {
    for (let n = Math.min(stop.length - 1, text.length); n > longest; n--) {
      if (text.endsWith(stop.slice(0, n))) longest = n
    }
  }
  return longest
}

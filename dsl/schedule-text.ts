/**
 * Schedule text and where it stands: the tagged template that authors write.
 *
 * Vocabulary: a *chunk* is the literal text between two interpolations. The frontend rewrites schedule`...` to
 * schedule.at(file, chunks)`...`, which says where each chunk stands in the file; an offset of the joined text is moved
 * there piecewise, and one inside an interpolated number means the whole `${...}`.
 * Invariant: nothing is parsed here; a template that is never read costs nothing and reports nothing.
 */
import type { Span } from './span.ts'
import { currentSpan } from './where.ts'

/** Where a chunk stands: its first offset in the file and its source, which keeps the line ends of the file. */
export interface Chunk {
  readonly start: number
  readonly source: string
}

/** A schedule that is not parsed yet. */
export interface ScheduleText {
  readonly kind: 'scheduleText'
  readonly text: string
  /** The span of [start, end) of the text; undefined when nobody said where the text stands. */
  readonly locate: (start: number, end: number) => Span | undefined
  /** Interpolations that are no counts. */
  readonly refused: readonly { readonly value: unknown; readonly span: Span | undefined }[]
}

type Tag = (template: TemplateStringsArray, ...values: readonly number[]) => ScheduleText

const tag = (place: { readonly file: string; readonly chunks: readonly Chunk[] } | undefined): Tag => {
  return (template, ...values) => {
    let text = ''
    const pieces: { readonly at: number; readonly end: number; readonly chunk: number }[] = []
    const refused: ScheduleText['refused'][number][] = []
    const span = (start: number, end: number): Span | undefined => place && { file: place.file, start, end }
    template.raw.forEach((raw, i) => {
      pieces.push({ at: text.length, end: text.length + raw.length, chunk: i })
      text += raw
      if (i >= values.length) return
      const value: unknown = values[i]
      const legal = typeof value === 'number' && Number.isInteger(value) && value >= 0
      if (!legal) {
        const [before, after] = [place?.chunks[i], place?.chunks[i + 1]]
        const hole = before && after && span(before.start + before.source.length, after.start)
        refused.push({ value, span: hole ?? currentSpan() })
      }
      text += legal ? String(value) : '1'
    })
    const move = (offset: number, end: boolean): number | undefined => {
      // An end belongs to the piece that it closes, a start to the piece that it opens.
      const inside = pieces.find((p) => (end ? offset > p.at && offset <= p.end : offset >= p.at && offset < p.end))
      if (inside) return place?.chunks[inside.chunk] && inChunk(place.chunks[inside.chunk]!, offset - inside.at)
      const before = pieces.filter((p) => p.end <= offset).at(-1)
      const chunk = place?.chunks[before?.chunk ?? 0]
      const next = place?.chunks[(before?.chunk ?? 0) + 1]
      return end
        ? (next?.start ?? (chunk && chunk.start + chunk.source.length))
        : chunk && chunk.start + chunk.source.length
    }
    return {
      kind: 'scheduleText',
      text,
      refused,
      locate: (start, end) => {
        const from = move(start, false)
        const to = end > start ? move(end, true) : from
        return from === undefined || to === undefined ? undefined : span(from, Math.max(from, to))
      },
    }
  }
}

/** A template's text has one character where the file may have CR LF. */
function inChunk(chunk: Chunk, offset: number): number {
  let at = 0
  for (let i = 0; i < offset; i++) at += chunk.source.startsWith('\r\n', at) ? 2 : 1
  return chunk.start + at
}

/** Schedule text. Interpolations are counts: schedule`sms ${n}`. */
export const schedule: Tag & { readonly at: (file: string, chunks: readonly Chunk[]) => Tag } = Object.assign(
  tag(undefined),
  { at: (file: string, chunks: readonly Chunk[]) => tag({ file, chunks }) },
)

/** The text of a whole file. */
export const scheduleFile = (file: string, text: string): ScheduleText => ({
  kind: 'scheduleText',
  text,
  refused: [],
  locate: (start, end) => ({ file, start, end }),
})

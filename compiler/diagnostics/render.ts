/**
 * Shows diagnostics: as text for people, with the lines that they are about, and as JSON for tools.
 *
 * Vocabulary: *sources* gives the text of a file by the name that spans use; a file that is not there is still named,
 * without lines. Lines and columns count from 1, columns in UTF-16 units as editors do.
 * Invariant: rendering never fails, whatever a span says.
 */
import { styleText } from 'node:util'
import type { Span } from '../../dsl/span.ts'
import type { Diagnostic } from './diagnostic.ts'

export type Sources = (file: string) => string | undefined

export interface RenderOptions {
  readonly sources?: Sources
  readonly colour?: boolean
}

export interface Position {
  readonly line: number
  readonly column: number
}

/** The place of an offset; offsets outside the text are moved to its end. */
export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, Math.max(0, offset))
  const start = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: before.length - start + 1 }
}

type Style = Parameters<typeof styleText>[0]
type Paint = (style: Style, text: string) => string

export function renderDiagnostics(diagnostics: readonly Diagnostic[], options: RenderOptions = {}): string {
  const paint: Paint = (style, text) => (options.colour ? styleText(style, text, { validateStream: false }) : text)
  const sources = options.sources ?? (() => undefined)
  return diagnostics.map((d) => renderOne(d, sources, paint)).join('\n')
}

function renderOne(d: Diagnostic, sources: Sources, paint: Paint): string {
  const tone: Style = d.severity === 'error' ? 'red' : 'yellow'
  const lines = [`${paint([tone, 'bold'], `${d.severity}[${d.code}]`)}${paint('bold', `: ${d.message}`)}`]
  if (d.span) lines.push(...frame(d.span, sources, tone, paint))
  else if (d.subject !== undefined) lines.push(`  ${paint('blue', '-->')} ${d.subject}`)
  for (const note of d.notes) {
    lines.push(`${paint('cyan', 'note')}: ${note.message}`)
    if (note.span) lines.push(...frame(note.span, sources, 'cyan', paint))
  }
  if (d.help !== undefined) lines.push(`${paint('green', 'help')}: ${d.help}`)
  return `${lines.join('\n')}\n`
}

/** File, line and column, the line itself and what of it is meant. */
function frame(span: Span, sources: Sources, tone: Style, paint: Paint): string[] {
  const text = sources(span.file)
  if (text === undefined) return [`  ${paint('blue', '-->')} ${span.file}`]
  const { line, column } = positionOf(text, span.start)
  const content = (text.split('\n')[line - 1] ?? '').replace(/\r$/, '')
  const end = positionOf(text, span.end)
  const last = end.line > line ? content.length + 1 : end.column
  const width = Math.max(1, Math.min(last, content.length + 1) - column)
  const gutter = ' '.repeat(String(line).length)
  // Tabs stay tabs, so that the marks stand below what they mark.
  const indent = content.slice(0, column - 1).replace(/[^\t]/g, ' ')
  const marks = paint(tone, `${'^'.repeat(width)}${end.line > line ? '...' : ''}`)
  return [
    `${gutter} ${paint('blue', '-->')} ${span.file}:${line}:${column}`,
    `${gutter} ${paint('blue', '|')}`,
    `${paint('blue', `${line} |`)} ${content}`,
    `${gutter} ${paint('blue', '|')} ${indent}${marks}`,
  ]
}

/** One object a diagnostic, positions spelled out; stable field order. */
export function diagnosticsAsJson(diagnostics: readonly Diagnostic[], sources: Sources = () => undefined): string {
  const place = (span: Span | undefined) => {
    if (!span) return {}
    const text = sources(span.file)
    const positions = text === undefined ? {} : { start: positionOf(text, span.start), end: positionOf(text, span.end) }
    return { file: span.file, offset: span.start, length: span.end - span.start, ...positions }
  }
  const plain = diagnostics.map((d) => ({
    code: d.code,
    severity: d.severity,
    message: d.message,
    ...(d.subject !== undefined && { subject: d.subject }),
    ...place(d.span),
    notes: d.notes.map((n) => ({ message: n.message, ...place(n.span) })),
    ...(d.help !== undefined && { help: d.help }),
  }))
  return JSON.stringify(plain, null, 2)
}

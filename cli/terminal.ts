/**
 * Where a verb writes, and with which manners: colours and moving lines on a terminal only, results on stdout, everything
 * that is said about the work on stderr.
 *
 * Invariant: a verb writes through this and nothing else, so that a test can be the terminal.
 */
import { styleText } from 'node:util'
import type { Diagnostic } from '../compiler/diagnostics/diagnostic.ts'
import { renderDiagnostics } from '../compiler/diagnostics/render.ts'

export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly outIsTty: boolean
  readonly errIsTty: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** Width of the terminal. */
  readonly columns: number
}

export type Style = Parameters<typeof styleText>[0]

/** NO_COLOR beats FORCE_COLOR beats what the stream is. */
export function wantsColour(terminal: Terminal, stream: 'out' | 'err'): boolean {
  if (terminal.env.NO_COLOR) return false
  if (terminal.env.FORCE_COLOR) return terminal.env.FORCE_COLOR !== '0'
  return stream === 'out' ? terminal.outIsTty : terminal.errIsTty
}

export const paintFor =
  (terminal: Terminal, stream: 'out' | 'err') =>
  (style: Style, text: string): string =>
    wantsColour(terminal, stream) ? styleText(style, text, { validateStream: false }) : text

/** Findings, with the lines that they are about, on stderr. */
export function showDiagnostics(
  terminal: Terminal,
  diagnostics: readonly Diagnostic[],
  sources: ReadonlyMap<string, string> | undefined,
): void {
  if (diagnostics.length === 0) return
  terminal.err(
    renderDiagnostics(diagnostics, {
      colour: wantsColour(terminal, 'err'),
      sources: (file) => sources?.get(file),
    }),
  )
}

export const printJson = (terminal: Terminal, value: unknown): void =>
  terminal.out(`${JSON.stringify(value, null, 2)}\n`)

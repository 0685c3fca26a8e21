/**
 * What a compiler said about a generated engine, as diagnostics. Because the source carries `#line` directives, the place
 * of most errors is already a line of the author's file.
 */
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'

interface Said {
  readonly place: string
  readonly message: string
}

/** Lines of g++ (file:line:column: error: text), nvcc (file(line): error: text) and ptxas or the linker. */
const forms = [
  /^(?<place>[^\s:]+:\d+)(?::\d+)?: (?:fatal )?error: (?<message>.*)$/,
  /^(?<place>[^\s(]+\(\d+\)): (?:catastrophic )?error(?: #[\w-]+)?: (?<message>.*)$/,
  /^(?<place>ptxas)\s+(?:fatal|error)\s*: (?<message>.*)$/,
  /^(?<place>[^\s:]+): (?<message>undefined reference to .*)$/,
]

export function parseErrors(log: string): Said[] {
  return log.split('\n').flatMap((line) => {
    for (const form of forms) {
      const groups = form.exec(line)?.groups
      if (groups) return [{ place: groups.place!, message: groups.message! }]
    }
    return []
  })
}

export function buildFailure(compiler: string, log: string, source: string, short: string): DiagnosticError {
  const said = parseErrors(log).slice(0, 10)
  if (said.length === 0)
    return new DiagnosticError([
      diagnostic('TILE5002', `${compiler} failed: ${short}`, {
        notes: log
          .trim()
          .split('\n')
          .slice(-10)
          .filter((line) => line !== '')
          .map((message) => ({ message })),
      }),
    ])
  return new DiagnosticError(
    said.map(({ place, message }) =>
      diagnostic('TILE5002', message, { subject: place.replace(source, 'engine.cu').replace(/\((\d+)\)$/, ':$1') }),
    ),
  )
}

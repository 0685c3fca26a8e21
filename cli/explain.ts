/** `tilec explain TILEnnnn`: what a diagnostic means, why it is refused and what to do. */
import type { Command } from 'commander'
import { catalogue } from '../compiler/diagnostics/catalogue.ts'
import { DiagnosticError, diagnostic, didYouMean } from '../compiler/diagnostics/diagnostic.ts'
import { table } from './table.ts'
import { paintFor, printJson, type Terminal } from './terminal.ts'

const examples = `
Examples:
  tilec explain TILE2050
  tilec explain              lists all codes`

export function addExplain(program: Command, terminal: Terminal): void {
  program
    .command('explain')
    .description('explain a diagnostic')
    .argument('[code]', 'TILEnnnn')
    .option('--json', 'print an object')
    .addHelpText('after', examples)
    .action((code: string | undefined, options: { readonly json?: boolean }) => explain(code, options, terminal))
}

function explain(code: string | undefined, options: { readonly json?: boolean }, terminal: Terminal): void {
  const codes = Object.keys(catalogue).sort()
  if (code === undefined) {
    if (options.json)
      printJson(
        terminal,
        codes.map((c) => ({ code: c, title: catalogue[c]!.title })),
      )
    else
      terminal.out(
        table(
          [{ title: 'code' }, { title: 'title' }],
          codes.map((c) => [c, catalogue[c]!.title]),
          '',
        ),
      )
    return
  }
  const wanted = code.toUpperCase().replace(/^(TILE)?/, 'TILE')
  const entry = catalogue[wanted]
  if (!entry) {
    const meant = didYouMean(wanted, codes)
    throw new DiagnosticError([
      diagnostic('TILE5100', `there is no diagnostic '${code}'`, {
        help: meant ? `did you mean ${meant}?` : '`tilec explain` without a code lists all of them',
      }),
    ])
  }
  if (options.json) printJson(terminal, { code: wanted, ...entry })
  else terminal.out(`${paintFor(terminal, 'out')('bold', `${wanted}: ${entry.title}`)}\n\n${entry.explain}\n`)
}

/**
 * The mutation campaign: every mutant of every case (`npm run campaign:mutants`), with a table of what became of them.
 * Fails when one is accepted without a reason.
 */
import { type Fate, fateOf, mutants } from './mutants.ts'

const started = performance.now()
const fates: Record<Fate, number> = { refused: 0, excused: 0, missed: 0 }
const codes = new Map<string, number>()
const reasons = new Map<string, number>()
const missed: string[] = []
for (const { of, mutant } of mutants(1, 0)) {
  const { fate, codes: found } = fateOf(mutant)
  fates[fate]++
  for (const c of found) codes.set(c, (codes.get(c) ?? 0) + 1)
  if (fate === 'missed') missed.push(`${of}: ${mutant.name}`)
  if (fate === 'excused') reasons.set(mutant.harmless!, (reasons.get(mutant.harmless!) ?? 0) + 1)
}
const lines = [
  `${fates.refused + fates.excused + fates.missed} mutants in ${((performance.now() - started) / 1000).toFixed(0)} s: ${fates.refused} refused, ${fates.excused} harmless, ${fates.missed} missed`,
  ...[...codes].sort().map(([code, n]) => `  ${code} ${n}`),
  ...[...reasons].map(([reason, n]) => `  harmless ${n}: ${reason}`),
  ...missed.map((m) => `  MISSED ${m}`),
]
process.stdout.write(`${lines.join('\n')}\n`)
process.exitCode = missed.length > 0 ? 1 : 0

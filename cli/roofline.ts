/** `tilec bench MODEL --roofline`: what each phase of a round took, beside what its bytes take at the ceiling, and sums over ranks. */
import type { RankOptions } from '../runtime/session/bench-rank.ts'
import type { Exchange } from '../runtime/session/exchange-times.ts'
import { measureRoofline, type Roofline } from '../runtime/session/roofline.ts'
import { about, headline } from './bench-rank.ts'
import { progressLine } from './progress.ts'
import { bytes, table } from './table.ts'
import { printJson, type Terminal } from './terminal.ts'

export async function roofline(model: string, request: RankOptions, json: boolean, terminal: Terminal): Promise<void> {
  const progress = progressLine(terminal)
  let result: Roofline
  try {
    result = await measureRoofline({ ...request, onProgress: progress.show, onRun: progress.done })
  } finally {
    progress.done()
  }
  if (json) {
    const { ready, ...measured } = result
    printJson(terminal, { ...about(model, request, ready), ...measured })
    return
  }
  terminal.out(`${headline(model, request, result)}\n${asTable(result)}${exchangeTable(result.exchange)}`)
}

const right = (title: string) => ({ title, align: 'right' as const })
const us = (n: number): string => n.toFixed(2)

/** Means and extremes over ranks; then what each rank's SMs waited, which tells who is late. */
function exchangeTable({ sums, exposedUs, waitUs }: Exchange): string {
  if (sums.length === 0) return ''
  const over = (ranks: readonly number[]): string[] =>
    [Math.min(...ranks), ranks.reduce((a, b) => a + b) / ranks.length, Math.max(...ranks)].map(us)
  const lines = sums.map((s) => [`${s.segment}.${s.phase}`, `${s.runs}`, ...over(s.exposedUs), ...over(s.waitUs)])
  const all = ['a round', `${sums.reduce((n, s) => n + s.runs, 0)}`, ...over(exposedUs), ...over(waitUs)]
  const columns = ['runs', 'exposed: least', 'mean', 'most', 'an SM waits: least', 'mean', 'most'].map(right)
  const ranks = waitUs.map((wait, rank) => `rank ${rank} ${us(wait)}`)
  return `
${table([{ title: 'us of one sum over ranks, over the ranks' }, ...columns], [...lines, all])}An SM's wait for packets, us of a round: ${ranks.join(', ')}
`
}

function asTable({ ceiling, phases, totals, roundUs }: Roofline): string {
  const share = (floorUs: number, took: number): string =>
    floorUs > 0 && took > 0 ? `${((100 * floorUs) / took).toFixed(0)}%` : ''
  const predicted = phases.some((p) => p.predictedUs !== undefined)
  const prediction = (n: number | undefined): string[] => (predicted ? [n === undefined ? '' : us(n)] : [])
  const lines = phases.map((p) => [
    `${p.segment}.${p.phase}`,
    `${p.runs}`,
    p.active === undefined ? '' : p.active.toFixed(1),
    p.bytes > 0 ? bytes(p.bytes) : '',
    p.bytes > 0 ? us(p.floorUs) : '',
    ...prediction(p.predictedUs),
    us(p.us),
    share(p.floorUs, p.us),
    us(p.syncUs),
    us(p.stagingUs),
  ])
  const sums = totals.map((t) => [
    t.name,
    '',
    '',
    bytes(t.bytes),
    us(t.floorUs),
    ...prediction(t.predictedUs),
    us(t.us),
    share(t.floorUs, t.us),
    us(t.syncUs),
  ])
  const columns = [
    { title: 'us of one execution' },
    ...[
      'runs',
      'experts',
      'bytes',
      'floor',
      ...(predicted ? ['predicted'] : []),
      'measured',
      'of it',
      'sync',
      'staging',
    ].map(right),
  ]
  return `Ceiling: ${(ceiling / 1e9).toFixed(0)} GB/s, measured before the launch. Traced engine: a few percent are the trace's.
${table(columns, lines)}
${table([{ title: 'us of a round' }, ...columns.slice(1, -1)], sums)}The engine's own clock says ${roundUs.toFixed(1)} us a round.
`
}

/**
 * prove-exchange: of a sum over ranks, that every tile goes all of its way, once, under one epoch.
 *
 * Vocabulary: a *hop* is a step that sends or receives tiles. One shot has two: the epilogue sends its part of a tile to every rank,
 * compute receives those of all ranks. Two shots have four: the epilogue sends to the tile's owner (tile % ranks), whose compute
 * role adds the parts and sends the sum to every rank, where compute receives it.
 * Invariants checked: each hop is there once, under the epoch that is the exchange's ordinal in its entry; all tiles are received; of
 * those that compute adds, each belongs to the one rank that it is sent to, and a sum is sent when it has been made. That hops
 * come in an order in which nobody waits for himself, and that no packet overwrites another, is for the proof of order.
 */
import { addsParts, type Loop, productIn, takesSums } from '../plan/ir.ts'
import { noteAt, type Place, type PlanFinding, placeName } from './findings.ts'
import { stepsOf } from './steps-of.ts'

type Report = (finding: PlanFinding) => void

const ways = {
  1: { hops: ['sent', 'received'], help: 'every tile that is sent must be received once on every rank' },
  2: {
    hops: ['sent', 'added', 'sent on', 'received'],
    help: 'every tile must be added once, by the rank that it is sent to, and its sum must be sent to every rank and received there once',
  },
} as const
type Hop = (typeof ways)[2]['hops'][number]

/** `ordinal`: of the exchange in its entry. */
export function proveExchange(
  at: Pick<Place, 'segment' | 'phase'>,
  ordinal: number,
  ranks: number,
  report: Report,
): void {
  const { phase } = at
  const product = productIn(Object.values(phase.roles).flat())
  if (!product?.exchange) return
  const way = ways[product.exchange]
  const place: Place = { ...at, role: 'compute' }
  const bad = (message: string, help: string): void =>
    report({
      code: 'TILE2106',
      subject: placeName(place),
      message,
      span: phase.span,
      notes: [noteAt({ ...place, role: 'epilogue' }, 'the epilogue sends'), noteAt(place, 'compute receives')],
      help,
    })

  const hops = [...stepsOf(phase)].flatMap(({ step }): { hop: Hop; after: number }[] => {
    if (step.kind === 'addParts') return [{ hop: 'added', after: step.after }]
    if (step.kind === 'spread') return [{ hop: 'sent on', after: step.after }]
    if (step.kind !== 'finish' || step.elements === 'all') return []
    return [{ hop: step.elements === 'before' ? 'sent' : 'received', after: step.after }]
  })
  const epochs = (hop: Hop): string =>
    hops
      .filter((h) => h.hop === hop)
      .map((h) => h.after)
      .join() || 'none'
  if (hops.length !== way.hops.length || way.hops.some((hop) => epochs(hop) !== `${ordinal}`)) {
    const told = way.hops.map((hop) => `${hop} under epoch ${epochs(hop)}`)
    bad(
      `tiles are ${told.join(', ')}; this is exchange ${ordinal} of its entry`,
      'both sides of every hop count the same executions',
    )
    return
  }

  const { tiles } = product.geometry
  const loops = phase.roles.compute.filter((s) => s.kind === 'loop')
  const count = (l: Loop | undefined): number => (l?.domain.kind === 'share' ? l.domain.count : 0)
  const received = count(loops.find(takesSums))
  if (received !== tiles) bad(`${tiles} tiles are sent to every rank, ${received} are received`, way.help)
  if (product.exchange === 1) return
  const adds = loops.find(addsParts)
  const domain = adds?.domain.kind === 'owned' ? adds.domain : { count: 0, ranks }
  if (domain.count !== tiles) bad(`${tiles} tiles are sent to their owners, ${domain.count} are added`, way.help)
  if (domain.ranks !== ranks)
    bad(`tiles are sent to owners among ${ranks} ranks, and added by owners among ${domain.ranks}`, way.help)
  if (adds?.body.map((s) => s.kind).join() !== 'addParts,spread')
    bad('the sum of a tile is not sent to every rank when its parts have been added', way.help)
}

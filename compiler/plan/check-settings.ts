/**
 * check-settings: a setting that a schedule gives to a phase decides something there, or it is refused.
 *
 * Vocabulary: the *work* of a phase is what it is cut up as: tiles of a product, of chosen experts' first products (`up`) or
 * of their last (`down`), spans of keys; everything else is cut up by nobody.
 */
import type { PhaseSchedule } from '../../dsl/schedule-ir.ts'
import type { Session } from '../diagnostics/diagnostic.ts'
import type { Phase } from '../tile/ir.ts'

type Work = 'product' | 'expert rows' | 'expert sums' | 'attention' | 'small work'
type Setting = 'tile' | 'split' | 'group' | 'keys' | 'balance' | 'stage'

const settingsOf: Record<Work, readonly string[]> = {
  product: ['tile', 'split k', 'stage by chunk'],
  'expert rows': ['tile', 'split k', 'balance'],
  'expert sums': ['tile', 'split rows', 'group'],
  attention: ['span'],
  'small work': [],
}
const kinds: Partial<Record<Phase['kind'], Work>> = { product: 'product', attend: 'attention', near: 'attention' }
const routed: Record<'up' | 'down', Work> = { up: 'expert rows', down: 'expert sums' }

const workOf = (p: Phase): Work =>
  ('routed' in p && p.routed ? routed[p.routed] : undefined) ?? kinds[p.kind] ?? 'small work'

/** How an author writes a setting. */
const written: { readonly [K in Setting]: (p: PhaseSchedule) => string } = {
  tile: () => 'tile',
  split: (p) => `split ${p.split!.value.by}`,
  group: () => 'group',
  keys: () => 'span',
  balance: () => 'balance',
  stage: (p) => `stage by ${p.stage!.value}`,
}

export function checkSettings(p: PhaseSchedule, phase: Phase, computeWarps: number, session: Session): void {
  const work = workOf(phase)
  const legal = settingsOf[work]
  for (const key of Object.keys(written) as Setting[]) {
    const setting = p[key]
    if (!setting) continue
    const name = written[key](p)
    if (legal.includes(name)) continue
    session.report('TILE2052', `'${name}' decides nothing in phase '${p.name}', which is ${work}`, {
      span: setting.span,
      ...(phase.span && { notes: [{ message: `'${p.name}' is this`, span: phase.span }] }),
      help: legal.length > 0 ? `settings of such a phase: ${legal.join(', ')}` : 'such a phase has no settings',
    })
  }
  const { split } = p
  if (split?.value.by !== 'rows' || !legal.includes('split rows') || split.value.parts === computeWarps) return
  session.report(
    'TILE2052',
    `'split rows ${split.value.parts}' of phase '${p.name}': every compute warp takes rows of its own, and there are ${computeWarps}`,
    { span: split.span, help: `split rows ${computeWarps}` },
  )
}

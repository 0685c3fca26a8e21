/**
 * A picture of the schedule: one lane a role, one row a phase, time downwards; what a role does in a phase is a cell, and
 * arrows are counters, from the phase that signals to those that wait.
 *
 * Invariant: drawn from the plan alone, so what it shows is what is emitted.
 */
import { type Plan, type RoleName, roleNames, type SegmentPlan, type Step } from '../../compiler/plan/ir.ts'
import { describeStep } from '../../compiler/plan/print-plan.ts'
import { escapeText, picture, rect, text, textWidth, tooltip } from './svg.ts'

const margin = 20
const nameWidth = 130
const laneWidth = 330
const laneGap = 14
const lineHeight = 15
const shownWidth = laneWidth - 20

const laneX = (role: RoleName): number => margin + nameWidth + roleNames.indexOf(role) * (laneWidth + laneGap)

/** Steps as lines, loops indented; the class says what a line is about. */
function lines(steps: readonly Step[], depth = 0): { readonly text: string; readonly kind: string }[] {
  return steps.flatMap((s) => {
    const line = { text: `${'  '.repeat(depth)}${describeStep(s)}`, kind: kindOf(s) }
    return s.kind === 'loop' ? [line, ...lines(s.body, depth + 1)] : [line]
  })
}

const kinds: Readonly<Record<string, string>> = {
  wait: 'wait',
  waitLocal: 'wait',
  signal: 'signal',
  signalLocal: 'signal',
  acquire: 'channel',
  commit: 'channel',
  await: 'channel',
  release: 'channel',
  barrier: 'channel',
  loop: 'loop',
}
const kindOf = (s: Step): string => kinds[s.kind] ?? 'work'

function waits(steps: readonly Step[]): string[] {
  return steps.flatMap((s) => (s.kind === 'wait' ? [s.counter] : s.kind === 'loop' ? waits(s.body) : []))
}

export function schedulePicture(plan: Plan): string {
  const parts: string[] = []
  let y = margin + 20
  for (const r of plan.roles) {
    parts.push(
      text(
        laneX(r.name),
        margin + 6,
        `${r.name}: ${r.warps} ${r.warps === 1 ? 'warp' : 'warps'}, ${r.registers} registers`,
        'heading',
      ),
    )
  }
  for (const s of plan.segments) {
    const drawn = segment(s, y)
    parts.push(...drawn.parts)
    y = drawn.bottom + 24
  }
  return picture(laneX('communicate') + laneWidth + margin, y, parts)
}

function segment(s: SegmentPlan, top: number): { parts: string[]; bottom: number } {
  const parts: string[] = []
  const numbers = s.layers.map((l) => l.split('.').at(-1)).join(', ')
  parts.push(text(margin, top + 12, s.layers.length > 0 ? `${s.name}: layers ${numbers}` : s.name, 'heading'))
  let y = top + 24
  const signalled = new Map<string, { x: number; y: number }>()
  const arrows: string[] = []
  for (const p of s.phases) {
    const cells = roleNames.map((role) => ({ role, lines: lines(p.roles[role]) }))
    const height = Math.max(1, ...cells.map((c) => c.lines.length)) * lineHeight + 10
    parts.push(text(margin, y + 16, p.name, 'phase'))
    for (const { role, lines } of cells) {
      if (lines.length === 0) continue
      const x = laneX(role)
      parts.push(
        `<g>${tooltip(`${s.name}.${p.name}, ${role}\n${lines.map((l) => l.text).join('\n')}`)}${rect({ x, y, width: laneWidth, height }, 'cell')}${lines
          .map((l, i) => clipped(x + 10, y + 16 + i * lineHeight, l.text, l.kind))
          .join('')}</g>`,
      )
      for (const counter of new Set(waits(p.roles[role]))) {
        const from = signalled.get(counter)
        if (from) arrows.push(side(from.x, from.y, x, y + 8))
      }
    }
    signalled.set(p.counter, { x: laneX(p.signals) + laneWidth, y: y + height - 6 })
    y += height + 8
  }
  return { parts: [...parts, ...arrows], bottom: y }
}

/** Text that is cut where the lane ends; the tooltip has all of it. */
function clipped(x: number, y: number, content: string, kind: string): string {
  const most = Math.floor(shownWidth / textWidth('x'))
  const shown = content.length > most ? `${content.slice(0, most - 1)}…` : content
  return `<text class="${kind}" x="${x}" y="${y}" xml:space="preserve">${escapeText(shown)}</text>`
}

/** From the right side of a signalling cell to the left side of a waiting one. */
const side = (x1: number, y1: number, x2: number, y2: number): string =>
  `<path class="counter" d="M${x1} ${y1} C${x1 + 40} ${y1 + 10} ${x2 - 40} ${y2 - 10} ${x2} ${y2}" marker-end="url(#head)"/>`

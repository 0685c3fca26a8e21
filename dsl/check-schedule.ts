/**
 * What can be said about a schedule without a plan: that its roles exist and fit an SM, that its numbers are legal.
 *
 * The limits are those of the targets there are (sm_90a, and the host back end that mirrors it): an SM has 64 Ki
 * registers and 227 KiB of shared memory for a block; a block has at most 32 warps; register budgets are set in steps
 * of 8 from 24 to 256.
 */
import type { Report } from './problem.ts'
import { roleNames, type Schedule } from './schedule-ir.ts'
import type { Span } from './span.ts'

export const limits = {
  warps: 32,
  registers: 65536,
  registersStep: 8,
  leastRegisters: 24,
  mostRegisters: 256,
  sharedBytes: 227 * 1024,
} as const

export function checkSchedule(s: Schedule, report: Report): void {
  const where = s.roles[0]?.span ?? s.ring?.span
  for (const name of roleNames) {
    if (!s.roles.some((r) => r.name === name)) {
      report({
        code: 'TILE2008',
        message: `the schedule has no role '${name}'; it needs ${roleNames.join(', ')}`,
        span: where,
      })
    }
  }
  if (!s.ring)
    report({ code: 'TILE2008', message: 'the schedule has no ring', span: where, help: 'ring weights 4 x 52 KiB' })
  roleBudgets(s, report)
  ringFits(s, report)
  numbersAreLegal(s, report)
}

function roleBudgets(s: Schedule, report: Report): void {
  const notes = s.roles.map((r) => ({ message: `${r.name} has ${r.warps}`, ...(r.span && { span: r.span }) }))
  const warps = s.roles.reduce((n, r) => n + r.warps, 0)
  if (warps > limits.warps) {
    report({
      code: 'TILE2004',
      message: `the roles have ${warps} warps together, but a block has at most ${limits.warps}`,
      span: s.roles.at(-1)?.span,
      notes: notes.slice(0, -1),
    })
  }
  // A role without a budget still gets the least that the hardware grants.
  const used = s.roles.map((r) => r.warps * 32 * (r.registers ?? limits.leastRegisters))
  const registers = used.reduce((a, b) => a + b, 0)
  if (registers > limits.registers) {
    const largest = s.roles[used.indexOf(Math.max(...used))]
    report({
      code: 'TILE2005',
      message: `the roles use ${registers} registers together, but an SM has ${limits.registers}`,
      span: largest?.span,
      notes: s.roles.flatMap((r, i) => {
        const budget = r.registers ?? limits.leastRegisters
        const note = `${r.name}: ${r.warps} x 32 threads x ${budget} = ${used[i]}`
        return [{ message: note, ...(r !== largest && r.span && { span: r.span }) }]
      }),
    })
  }
}

function ringFits(s: Schedule, report: Report): void {
  if (!s.ring) return
  const { depth, pageBytes, span } = s.ring
  if (depth * pageBytes > limits.sharedBytes) {
    report({
      code: 'TILE2006',
      message: `the ring takes ${depth} x ${pageBytes} = ${depth * pageBytes} bytes, but a block has ${limits.sharedBytes} bytes of shared memory`,
      span,
      help: `${Math.floor(limits.sharedBytes / Math.max(1, pageBytes))} pages of this size would fit`,
    })
  }
}

function numbersAreLegal(s: Schedule, report: Report): void {
  const demand = (legal: boolean, what: string, rule: string, value: number, span: Span | undefined): void => {
    if (!legal) report({ code: 'TILE2007', message: `${what} must be ${rule}, got ${value}`, span })
  }
  const atLeastOne = (what: string, value: number, span: Span | undefined) =>
    demand(value >= 1, what, 'at least 1', value, span)
  for (const r of s.roles) {
    atLeastOne(`the warps of role '${r.name}'`, r.warps, r.span)
    if (r.registers !== undefined) {
      const { leastRegisters: low, mostRegisters: high, registersStep: step } = limits
      const legal = r.registers >= low && r.registers <= high && r.registers % step === 0
      demand(legal, `regs of role '${r.name}'`, `a multiple of ${step} from ${low} to ${high}`, r.registers, r.span)
    }
  }
  if (s.ring) {
    demand(s.ring.depth >= 2, 'the depth of the ring', 'at least 2', s.ring.depth, s.ring.span)
    const page = s.ring.pageBytes
    demand(page >= 16 && page % 16 === 0, 'a page of the ring', 'a positive multiple of 16 bytes', page, s.ring.span)
  }
  if (s.joinDepth) {
    const { value, span } = s.joinDepth
    // Slots and warps take turns: a slot that changed hands would be waited for by warps that had not seen its last use.
    const warps = s.roles.find((r) => r.name === 'epilogue')?.warps ?? 1
    const rule = warps > 1 ? `a multiple of the ${warps} warps of role 'epilogue'` : 'at least 1'
    demand(value >= 1 && value % Math.max(1, warps) === 0, 'the join depth', rule, value, span)
  }
  if (s.earlyEighths) {
    const { value, span } = s.earlyEighths
    demand(value >= 1 && value <= 7, 'the eighths of the experts that come first', '1 to 7', value, span)
  }
  if (s.sms) atLeastOne('the number of SMs', s.sms.value, s.sms.span)
  for (const p of s.phases) {
    const of = (what: string) => `${what} of phase '${p.name}'`
    if (p.tile)
      demand(p.tile.value === 16, of('tile'), '16 rows, the multiplier has no other', p.tile.value, p.tile.span)
    if (p.split) atLeastOne(of('split'), p.split.value.parts, p.split.span)
    if (p.group) atLeastOne(of('group'), p.group.value, p.group.span)
    if (p.keys) demand(p.keys.value === 64, of('span'), '64 keys, the unit of the cache', p.keys.value, p.keys.span)
  }
}

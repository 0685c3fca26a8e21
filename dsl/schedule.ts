/**
 * The schedule language: text becomes data, checked. Tools that write schedules use `scheduleOf({...})` instead.
 *
 * Invariants: a schedule that `readSchedule` returns was reported nothing about; text and typed form give equal data;
 * every finding has the span of the words that caused it.
 */
import { checkSchedule } from './check-schedule.ts'
import type { Report } from './problem.ts'
import { SyntaxError as GrammarError, parse } from './schedule-grammar.js'
import {
  type ExchangeType,
  type Fusion,
  type Located,
  type PhaseSchedule,
  type Prefetch,
  type RoleName,
  type RoleSchedule,
  roleNames,
  type Schedule,
  type Shots,
  type Split,
} from './schedule-ir.ts'
import type { ScheduleText } from './schedule-text.ts'
import type { Span } from './span.ts'
import { didYouMean } from './typo.ts'
import { currentSpan } from './where.ts'

type At = readonly [start: number, end: number]
interface Word<T> {
  readonly value: T
  readonly at: At
}
type ParsedSetting = { readonly at: At } & (
  | { readonly kind: 'tile' | 'group' | 'span'; readonly value: number }
  | { readonly kind: 'split'; readonly value: Split }
  | { readonly kind: 'balance'; readonly value: 'flat' }
  | { readonly kind: 'stage'; readonly value: 'chunk' }
)
/** What the grammar yields. */
type Statement = { readonly at: At } & (
  | {
      readonly kind: 'role'
      readonly name: Word<string>
      readonly warps: Word<number>
      readonly registers: Word<number> | null
    }
  | { readonly kind: 'ring'; readonly name: Word<string>; readonly depth: Word<number>; readonly page: Word<number> }
  | { readonly kind: 'join'; readonly depth: Word<number> }
  | { readonly kind: 'experts'; readonly eighths: Word<number> }
  | { readonly kind: 'phase'; readonly name: Word<string>; readonly settings: readonly ParsedSetting[] }
  | {
      readonly kind: 'fuse'
      readonly fusions: readonly { readonly what: readonly Word<string>[]; readonly into: readonly Word<string>[] }[]
    }
  | { readonly kind: 'exchange'; readonly value: Word<ExchangeType> | null; readonly shots: Word<Shots> | null }
  | { readonly kind: 'while'; readonly phase: Word<string>; readonly what: Word<string>; readonly into: 'l2' }
  | { readonly kind: 'sms'; readonly value: number }
)

/** Parses and checks a schedule. Undefined when something was reported. */
export function readSchedule(source: ScheduleText | Schedule, report: Report): Schedule | undefined {
  let findings = 0
  const counting: Report = (problem) => {
    findings++
    report(problem)
  }
  const parsed = source.kind === 'schedule' ? source : parseText(source, counting)
  // A part that was refused is missing from the data; what that leads to is not worth telling.
  if (parsed && findings === 0) checkSchedule(parsed, counting)
  return findings === 0 ? parsed : undefined
}

function parseText(source: ScheduleText, report: Report): Schedule | undefined {
  for (const { value, span } of source.refused) {
    report({ code: 'TILE2009', message: `a schedule takes counts, got ${String(value)}`, span })
  }
  try {
    return assemble(parse(source.text) as readonly Statement[], source, report)
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error
    report({ code: 'TILE2001', ...syntaxProblem(error, source) })
    return undefined
  }
}

function syntaxProblem(error: GrammarError, source: ScheduleText) {
  const start = error.location.start.offset
  const rest = source.text.slice(start)
  const word = /^(?:[A-Za-z0-9_.]+|->|[^\s])/.exec(rest)?.[0] ?? ''
  const literals = (error.expected ?? []).flatMap((e) => (e.type === 'literal' && e.text !== '#' ? [e.text] : []))
  const other = (error.expected ?? []).flatMap((e) =>
    e.type === 'other' ? [e.description] : e.type === 'end' ? ['the end'] : [],
  )
  const all = [...new Set([...literals.map((l) => `'${l}'`), ...other])].sort()
  // A space may stand almost anywhere; it is only worth a word where nothing else helps.
  const legal = all.length > 1 ? all.filter((e) => e !== 'a space') : all
  const found = word ? `'${word}'` : rest === '' ? 'the end' : 'the end of the line'
  const meant = /^[A-Za-z]/.test(word) ? didYouMean(word, literals) : undefined
  const span = source.locate(start, start + word.length)
  const { line, column } = error.location.start
  return {
    message: `expected ${listed(legal)}, found ${found}${span ? '' : ` (line ${line}, column ${column} of the schedule)`}`,
    span,
    help: meant ? `did you mean '${meant}'?` : undefined,
  }
}
const listed = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? 'nothing') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`

/** Folds statements into a schedule; what occurs twice is reported with both places. */
function assemble(statements: readonly Statement[], source: ScheduleText, report: Report): Schedule {
  const spanOf = (at: At) => {
    const span = source.locate(at[0], at[1])
    return span ? { span } : {}
  }
  const located = <T>(word: Word<T>): Located<T> => ({ value: word.value, ...spanOf(word.at) })
  const seen = new Map<string, Span | undefined>()
  const once = (what: string, at: At): boolean => {
    const { span } = spanOf(at)
    if (seen.has(what)) {
      const first = seen.get(what)
      report({
        code: 'TILE2003',
        message: `${what} is given twice`,
        span,
        notes: [{ message: 'first given here', ...(first && { span: first }) }],
      })
      return false
    }
    seen.set(what, span)
    return true
  }
  const roles: RoleSchedule[] = []
  const phases: PhaseSchedule[] = []
  const fusions: Fusion[] = []
  const prefetches: Prefetch[] = []
  let rest: Pick<Schedule, 'ring' | 'joinDepth' | 'earlyEighths' | 'exchangeAs' | 'shots' | 'sms'> = {}

  const rules: { readonly [K in Statement['kind']]: (s: Extract<Statement, { kind: K }>) => void } = {
    role: (s) => {
      const name = roleNames.find((r) => r === s.name.value)
      if (!name) {
        const meant = didYouMean(s.name.value, roleNames)
        report({
          code: 'TILE2002',
          message: `unknown role '${s.name.value}'; roles are ${roleNames.join(', ')}`,
          ...spanOf(s.name.at),
          help: meant && `did you mean '${meant}'?`,
        })
      } else if (once(`role '${name}'`, s.name.at)) {
        roles.push({
          name,
          warps: s.warps.value,
          ...(s.registers && { registers: s.registers.value }),
          ...spanOf(s.at),
        })
      }
    },
    ring: (s) => {
      if (!once('the ring', s.at)) return
      rest = { ...rest, ring: { name: s.name.value, depth: s.depth.value, pageBytes: s.page.value, ...spanOf(s.at) } }
    },
    join: (s) => {
      if (once('the join depth', s.at)) rest = { ...rest, joinDepth: located(s.depth) }
    },
    experts: (s) => {
      if (once('what comes first of the experts', s.at)) rest = { ...rest, earlyEighths: located(s.eighths) }
    },
    phase: (s) => {
      if (!once(`phase '${s.name.value}'`, s.name.at)) return
      const settings = s.settings.filter((t) => once(`${t.kind} of phase '${s.name.value}'`, t.at))
      const entries = settings.map((t) => [t.kind === 'span' ? 'keys' : t.kind, { value: t.value, ...spanOf(t.at) }])
      phases.push({ name: s.name.value, ...Object.fromEntries(entries), ...spanOf(s.name.at) })
    },
    fuse: (s) => {
      for (const f of s.fusions) fusions.push({ what: f.what.map(located), into: f.into.map(located) })
    },
    exchange: (s) => {
      if (s.value && once('the exchange type', s.at)) rest = { ...rest, exchangeAs: located(s.value) }
      if (s.shots && once('the number of shots', s.at)) rest = { ...rest, shots: located(s.shots) }
    },
    while: (s) => {
      prefetches.push({ phase: located(s.phase), what: located(s.what), into: s.into, ...spanOf(s.at) })
    },
    sms: (s) => {
      if (once('the number of SMs', s.at)) rest = { ...rest, sms: { value: s.value, ...spanOf(s.at) } }
    },
  }
  for (const s of statements) (rules[s.kind] as (s: Statement) => void)(s)
  return { kind: 'schedule', roles, phases, fusions, prefetches, ...rest }
}

/** A schedule in typed form, for tools that write schedules. */
export interface ScheduleSpec {
  readonly roles: { readonly [R in RoleName]?: { readonly warps: number; readonly registers?: number } }
  readonly ring?: { readonly name: string; readonly depth: number; readonly pageBytes: number }
  readonly joinDepth?: number
  readonly earlyEighths?: number
  readonly phases?: {
    readonly [name: string]: {
      readonly tile?: number
      readonly split?: Split
      readonly group?: number
      readonly keys?: number
      readonly balance?: 'flat'
      readonly stage?: 'chunk'
    }
  }
  readonly fuse?: readonly { readonly what: readonly string[]; readonly into: readonly string[] }[]
  readonly exchangeAs?: ExchangeType
  readonly shots?: Shots
  readonly prefetch?: readonly { readonly phase: string; readonly what: string; readonly into: 'l2' }[]
  readonly sms?: number
}

/** The same data as the text form. */
export function scheduleOf(spec: ScheduleSpec): Schedule {
  const span = currentSpan()
  const here = span ? { span } : {}
  const value = <T>(v: T): Located<T> => ({ value: v, ...here })
  const { joinDepth, earlyEighths, exchangeAs, shots, sms } = spec
  return {
    kind: 'schedule',
    roles: roleNames.flatMap((name) => {
      const role = spec.roles[name]
      return role ? [{ name, ...role, ...here }] : []
    }),
    ...(spec.ring && { ring: { ...spec.ring, ...here } }),
    ...(joinDepth !== undefined && { joinDepth: value(joinDepth) }),
    ...(earlyEighths !== undefined && { earlyEighths: value(earlyEighths) }),
    phases: Object.entries(spec.phases ?? {}).map(([name, settings]) => ({
      name,
      ...Object.fromEntries(Object.entries(settings).map(([key, v]) => [key, value(v)])),
      ...here,
    })),
    fusions: (spec.fuse ?? []).map((f) => ({ what: f.what.map(value), into: f.into.map(value) })),
    ...(exchangeAs !== undefined && { exchangeAs: value(exchangeAs) }),
    ...(shots !== undefined && { shots: value(shots) }),
    prefetches: (spec.prefetch ?? []).map((p) => ({
      phase: value(p.phase),
      what: value(p.what),
      into: p.into,
      ...here,
    })),
    ...(sms !== undefined && { sms: value(sms) }),
  }
}

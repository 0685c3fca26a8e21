/**
 * Faults at run time: nano with the proof bypassed and one fault at one sync site, on the host engine's check build. A fault
 * that can change anything is caught by name, whatever this run happened to compute.
 *
 *   npm run campaign:mutants-run -- [--ranks 0] [--from 0] [--count 100000] [--stride 1] [--jobs 2]
 *
 * Verdicts: deadlock, race, overrun, bounds, numbers (logits that are none), crash (a memory fault or endless loop inside a
 * phase, named): caught.
 * harmless: no finding and the same bits, in plain order and under two seeds (eight ranks: one). Bad: wrong (other bits and no finding), hung,
 * died, and refuted: the prover accepts the same fault in the plan, and here it is caught.
 */
import { DiagnosticError } from '../../compiler/diagnostics/diagnostic.ts'
import type { Plan } from '../../compiler/plan/ir.ts'
import { mutantsOf as mutantsOfPlan } from '../../compiler/verify/mutate-plan.ts'
import type { BuiltEngine } from '../support/host-engine.ts'
import { buildNano, encode } from '../support/nano-engine.ts'
import { fateOf } from '../verify/mutants.ts'
import { campaign, options } from './campaign.ts'
import { kindOf, type Mutant, mutantsOf } from './mutants.ts'

export interface Verdict {
  readonly verdict: string
  readonly detail: string
}

const text = Array.from({ length: 8 }, (_, i) => `export const twice${i} = (x: number) => x * 2 + ${i}\n`).join('')
/** Plain order first: what it shows costs least. Eight ranks take ten times as long as one. */
const seedsOf = (ranks: number) => (ranks > 2 ? [0, 11] : [0, 11, 12])

export class MutantRunner {
  private constructor(
    readonly built: BuiltEngine,
    private readonly prompt: readonly number[],
    private readonly want: string,
    private readonly accepted: ReadonlyMap<string, string>,
  ) {}

  static async of(ranks: number): Promise<MutantRunner> {
    const built = await buildNano({ ranks, check: true, ctx: 256 })
    // Two spans of keys, and a block that is not full.
    const prompt = encode(text).slice(0, 67)
    const accepted = acceptedFaults(built.compiled.plan)
    const runner = new MutantRunner(built, prompt, '', accepted)
    return new MutantRunner(built, prompt, await runner.outcome([], 0), accepted)
  }

  mutants(): readonly Mutant[] {
    return mutantsOf(this.built.compiled.plan)
  }

  async try(m: Mutant): Promise<Verdict> {
    const found = await this.seen(m)
    const reason = this.accepted.get(`${m.site} ${m.mutation}`)
    if (reason === undefined || found.verdict === 'harmless') return found
    return { verdict: 'refuted', detail: `${found.verdict} ${found.detail}; accepted because ${reason}` }
  }

  private async seen(m: Mutant): Promise<Verdict> {
    for (const seed of seedsOf(this.built.compiled.plan.ranks)) {
      try {
        const got = await this.outcome([`${m.site}:${kindOf(m.mutation)}`], seed)
        if (got !== this.want) return { verdict: 'wrong', detail: `seed ${seed}: expected ${this.want}, got ${got}` }
      } catch (error) {
        return { ...classify(error), ...(seed > 0 && { seed }) }
      }
    }
    return { verdict: 'harmless', detail: '' }
  }

  private async outcome(mutations: readonly string[], seed: number): Promise<string> {
    const running = await this.built.start({ mutations, seed, silenceMs: 60_000 })
    try {
      const tokens = await running.greedy(this.prompt, 3)
      return `${tokens.join(' ')} bits ${running.digest()}`
    } finally {
      await running.close()
    }
  }
}

/** The faults of running engines that the prover accepts in the plan, with what it says for them. */
function acceptedFaults(plan: Plan): ReadonlyMap<string, string> {
  const accepted = new Map<string, string>()
  for (const m of mutantsOfPlan(plan))
    if (m.runtime && m.harmless && fateOf(m).fate === 'excused')
      accepted.set(`${m.runtime.site} ${m.runtime.mutation}`, m.harmless)
  return accepted
}

/** A warp's own words: a fault, or logits that are none. */
const caughtCodes: ReadonlySet<string> = new Set(['TILE6011', 'TILE6015'])

function classify(error: unknown): Verdict {
  if (!(error instanceof DiagnosticError)) return { verdict: 'died', detail: String(error) }
  const [first] = error.diagnostics
  const detail = `${first!.message} | ${first!.notes[0]?.message ?? ''}`
  if (first!.code === 'TILE6012') return { verdict: 'hung', detail }
  if (!caughtCodes.has(first!.code)) return { verdict: 'died', detail }
  const report = [...first!.notes.map((n) => n.message), first!.message].join(' ')
  const known: readonly (readonly [string, RegExp])[] = [
    ['deadlock', /^deadlock/],
    ['race', /^race/],
    ['overrun', /one arrival more|again before every SM/],
    ['bounds', /leaves|outside/],
    ['numbers', /are no numbers/],
    ['crash', /an endless loop|a memory fault/],
  ]
  return { verdict: known.find(([, pattern]) => pattern.test(report))?.[0] ?? 'died', detail }
}

export const bad = (verdict: string): boolean => ['wrong', 'hung', 'died', 'refuted'].includes(verdict)

if (import.meta.filename === process.argv[1]) {
  const o = options({ ranks: 0, from: 0, count: 100_000, stride: 1, jobs: 2 })
  for (const ranks of o.ranks > 0 ? [o.ranks] : [1, 2, 8]) {
    const runner = await MutantRunner.of(ranks)
    const chosen = runner.mutants().filter((_, i) => i >= o.from && (i - o.from) % o.stride === 0)
    await campaign(`mutants-run-${ranks}`, chosen.slice(0, o.count), {
      ...o,
      state: runner.built.executable.split('/').at(-2)!,
      key: (m) => `${m.step} ${m.mutation} at ${m.site} ${m.name}`,
      run: (m) => runner.try(m),
      bad,
    })
  }
}

/**
 * What campaigns share: numbers from the command line, a pool of concurrent jobs, and a file of results by key, so that
 * a campaign that was interrupted goes on where it stopped.
 *
 * Vocabulary: a *case* is one thing that is tried, named by its key; its *verdict* is a short text. Results lie under
 * ~/.cache/tilec/campaigns/, one line a case; `--fresh` forgets them.
 * Invariant: a verdict is written when its case is done, never before.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export interface Result {
  readonly key: string
  readonly verdict: string
  readonly detail?: string
}

/** `--name value` pairs; numbers only, plus lists of them. */
export function options<T extends Record<string, number>>(defaults: T): T & { readonly fresh: boolean } {
  const words = process.argv.slice(2)
  const found: Record<string, number> = { ...defaults }
  for (let i = 0; i < words.length; i++) {
    const name = words[i]!.replace(/^--/, '')
    if (name === 'fresh') continue
    const value = Number(words[++i])
    if (!(name in defaults) || !Number.isInteger(value))
      throw new Error(
        `usage: ${Object.entries(defaults)
          .map(([k, v]) => `[--${k} ${v}]`)
          .join(' ')} [--fresh]`,
      )
    found[name] = value
  }
  return { ...(found as T), fresh: words.includes('--fresh') }
}

/** Runs `work` over the cases, `jobs` at a time, in order of their beginning. */
export async function pool<C>(cases: readonly C[], jobs: number, work: (c: C) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < cases.length) await work(cases[next++]!)
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, cases.length)) }, worker))
}

export class Results {
  private readonly path: string
  readonly all = new Map<string, Result>()

  /** `state`: what the results depend on besides the key; another state starts afresh. */
  constructor(name: string, state: string, fresh: boolean) {
    const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tilec', 'campaigns')
    mkdirSync(folder, { recursive: true })
    this.path = join(folder, `${name}.jsonl`)
    const lines = existsSync(this.path) && !fresh ? readFileSync(this.path, 'utf8').trim().split('\n') : []
    if (lines[0] !== JSON.stringify({ state })) {
      rmSync(this.path, { force: true })
      appendFileSync(this.path, `${JSON.stringify({ state })}\n`)
      return
    }
    for (const line of lines.slice(1)) {
      const result: Result = JSON.parse(line)
      this.all.set(result.key, result)
    }
  }
  add(result: Result): void {
    this.all.set(result.key, result)
    appendFileSync(this.path, `${JSON.stringify(result)}\n`)
  }
}

/** Runs the cases that have no result yet, telling how far it is; ends with counts of verdicts. */
export async function campaign<C>(
  name: string,
  cases: readonly C[],
  how: {
    readonly jobs: number
    readonly fresh: boolean
    readonly state: string
    readonly key: (c: C) => string
    readonly run: (c: C) => Promise<Omit<Result, 'key'>>
    /** Verdicts that are failures. */
    readonly bad: (verdict: string) => boolean
  },
): Promise<readonly Result[]> {
  const results = new Results(name, how.state, how.fresh)
  const left = cases.filter((c) => !results.all.has(how.key(c)))
  const began = Date.now()
  let done = 0
  if (left.length < cases.length) console.log(`${cases.length - left.length} of ${cases.length} cases are known`)
  await pool(left, how.jobs, async (c) => {
    const result = { key: how.key(c), ...(await how.run(c)) }
    results.add(result)
    done++
    if (how.bad(result.verdict)) console.log(`BAD ${result.key}: ${result.verdict} ${result.detail ?? ''}`)
    if (done % 25 === 0 || done === left.length)
      console.log(`${name}: ${done} of ${left.length}, ${((Date.now() - began) / 1000 / done).toFixed(2)} s each`)
  })
  const all = cases.map((c) => results.all.get(how.key(c))!)
  const counts = new Map<string, number>()
  for (const r of all) counts.set(r.verdict, (counts.get(r.verdict) ?? 0) + 1)
  const table = [...counts].sort().map(([v, n]) => `${v} ${n}`)
  const bad = all.filter((r) => how.bad(r.verdict)).length
  console.log(`${name}: ${all.length} cases, ${bad} bad: ${table.join(', ')}`)
  if (bad > 0) process.exitCode = 1
  return all
}

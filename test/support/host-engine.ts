/**
 * A graph and a schedule as a running host engine whose numbers can be looked at: compiled, built (cached), loaded, started.
 *
 * Vocabulary: a *probe* is a buffer of rank 0's workspace that the engine appends to a file when a round's logits are
 * complete; a *record* is what one round left there. Weights come from load-plan sources: a checkpoint's tensors, or made
 * up numbers that synthetic-params.ts knows too.
 * Invariants: an engine has its own folder for records, gone after close; the process is killed when tests end.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Compiled, compile } from '../../codegen/compile.ts'
import { readTemplate } from '../../codegen/emit/source.ts'
import type { EngineKind } from '../../codegen/engines.ts'
import type { PlacedBuffer, Plan } from '../../compiler/plan/ir.ts'
import type { Graph } from '../../dsl/graph.ts'
import type { Schedule } from '../../dsl/schedule-ir.ts'
import { buildEngine } from '../../runtime/build/build-engine.ts'
import { type RunningEngine, startEngine } from '../../runtime/engine/engine.ts'
import { type ParamSource, writeLoadPlan } from '../../runtime/engine/load-plan.ts'
import { asset } from '../../runtime/paths.ts'
import './test-cache.ts'

export interface HostEngineOptions {
  readonly graph: Graph
  readonly schedule: Schedule
  readonly ranks?: number
  readonly ctx?: number
  /** SMs a rank, where the schedule names none. */
  readonly sms?: number
  readonly engine?: EngineKind
  readonly check?: boolean
  readonly sources: (param: string, compiled: Compiled) => ParamSource
}

export interface StartOptions {
  /** Scheduling and delivery are shuffled by it; 0: plain order. */
  readonly seed?: number
  /** Ranks that run, and stand in for the others; all when left out. */
  readonly present?: number
  /** `site:kind`, kinds numbered as in codegen/device/host/mutate.h. */
  readonly mutations?: readonly string[]
  /** Buffers to record besides the logits. */
  readonly probes?: readonly string[]
  readonly silenceMs?: number
}

export interface RoundRecord {
  readonly round: number
  readonly rows: number
  readonly positions: readonly number[]
  /** One array a row. */
  readonly logits: readonly Float32Array[]
  /** Other probes, as bytes in their buffer's form. */
  readonly bytes: ReadonlyMap<string, Buffer>
}

/** An engine that is built but not running: any number of processes can be started from it. */
export interface BuiltEngine {
  readonly compiled: Compiled
  readonly executable: string
  readonly cached: boolean
  start(options?: StartOptions): Promise<HostEngine>
}

export interface HostEngine {
  readonly engine: RunningEngine
  /** Continues `prompt` greedily by `count` tokens. */
  greedy(prompt: readonly number[], count: number): Promise<number[]>
  /** The logits after each token of `tokens`, computed as one prompt. */
  logits(tokens: readonly number[]): Promise<Float32Array[]>
  /** What the rounds since the last call left. */
  records(): RoundRecord[]
  /** A hash of the bits that these rounds left. */
  digest(): string
  close(): Promise<void>
}

export const compileForHost = (options: Omit<HostEngineOptions, 'sources'>): Compiled =>
  compile(options.graph, options.schedule, {
    ranks: options.ranks ?? 1,
    ctx: options.ctx ?? 512,
    target: { name: 'host', sms: options.sms ?? 2 },
    template: readTemplate(asset('codegen', 'templates', 'engine.cu.hbs')),
    version: 'test',
    ...(options.engine && { engine: options.engine }),
  })

export async function buildForHost(options: HostEngineOptions): Promise<BuiltEngine> {
  const compiled = compileForHost(options)
  const { executable, cached } = await buildEngine({
    source: compiled.source,
    target: 'host',
    ...(options.check !== undefined && { check: options.check }),
  })
  const loadPlan = writeLoadPlan(compiled.manifest, (param) => options.sources(param, compiled))
  return { compiled, executable, cached, start: (how) => start(compiled.plan, executable, loadPlan, how) }
}

export const startHostEngine = async (options: HostEngineOptions & StartOptions): Promise<HostEngine> =>
  (await buildForHost(options)).start(options)

async function start(
  plan: Plan,
  executable: string,
  loadPlan: Uint8Array,
  { seed = 0, present = plan.ranks, mutations = [], probes = [], silenceMs = 120_000 }: StartOptions = {},
): Promise<HostEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'tilec-probe-'))
  const file = join(folder, 'rounds')
  const buffers = [logitsBuffer(plan), ...probes.map((name) => found(plan, name))]
  const args = [
    ...(seed > 0 ? ['--seed', String(seed)] : []),
    ...['--present', String(present)],
    ...mutations.flatMap((m) => ['--mutate', m]),
    ...['--probe', file],
    ...buffers.flatMap((b) => ['--probe-range', `${b.offset}:${b.bytes}`]),
  ]
  const forget = () => rmSync(folder, { recursive: true, force: true })
  const engine = await startEngine({
    executable,
    loadPlan,
    ctx: plan.ctx,
    vocabulary: plan.vocabulary.whole,
    args,
    silenceMs,
  }).catch((error: unknown) => {
    forget()
    throw error
  })
  const taken = () => {
    if (!existsSync(file)) return Buffer.alloc(0)
    const bytes = readFileSync(file)
    truncateSync(file)
    return bytes
  }
  const records = () => readRecords(taken(), buffers, plan.vocabulary.whole)
  const greedy = async (prompt: readonly number[], count: number) => {
    const out: number[] = []
    for await (const e of engine.generate({ prompt, maxNewTokens: count })) if (e.type === 'token') out.push(e.token)
    return out
  }
  return {
    engine,
    greedy,
    records,
    digest: () => createHash('sha256').update(taken()).digest('hex').slice(0, 16),
    async logits(tokens) {
      records()
      await greedy(tokens, 1)
      const rows = records().flatMap((r) => r.logits.map((row, i) => [r.positions[i]!, row] as const))
      if (rows.length !== tokens.length || rows.some(([position], i) => position !== i))
        throw new Error(`the probe recorded positions ${rows.map(([p]) => p)} of a prompt of ${tokens.length}`)
      return rows.map(([, row]) => row)
    },
    async close() {
      await engine.close()
      forget()
    },
  }
}

export const logitsBuffer = (plan: Plan): PlacedBuffer => plan.buffers.find((b) => b.form.kind === 'logits')!

function found(plan: Plan, name: string): PlacedBuffer {
  const buffer = plan.buffers.find((b) => b.name === name)
  if (!buffer) throw new Error(`no buffer '${name}'; there are ${plan.buffers.map((b) => b.name).join(', ')}`)
  return buffer
}

/** codegen/device/engine/options.h has the record; the first buffer is that of the logits. */
function readRecords(file: Buffer, buffers: readonly PlacedBuffer[], vocabulary: number): RoundRecord[] {
  const head = 8 + 8 * 4
  const size = head + buffers.reduce((n, b) => n + b.bytes, 0)
  return Array.from({ length: Math.floor(file.length / size) }, (_, i) => {
    const record = file.subarray(i * size, (i + 1) * size)
    const rows = record.readUInt32LE(4)
    const starts = buffers.map((_, j) => head + buffers.slice(0, j).reduce((n, b) => n + b.bytes, 0))
    const parts = buffers.map((b, j) => record.subarray(starts[j]!, starts[j]! + b.bytes))
    const row = (r: number) =>
      Float32Array.from({ length: vocabulary }, (_, n) => parts[0]!.readFloatLE((r * vocabulary + n) * 4))
    return {
      round: record.readUInt32LE(0),
      rows,
      positions: Array.from({ length: rows }, (_, r) => record.readInt32LE(8 + r * 4)),
      logits: Array.from({ length: rows }, (_, r) => row(r)),
      bytes: new Map(buffers.slice(1).map((b, j) => [b.name, parts[j + 1]!])),
    }
  })
}

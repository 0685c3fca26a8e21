/**
 * Drafters: a small model that proposes tokens for a target, as two programs of one engine.
 *
 * Vocabulary: `commit` takes the taps of rows that the target has accepted and remembers keys and values of them in named
 * caches; `draft` runs one block of rows [newest token, mask, mask, ...] over those caches and ends in logits, row j
 * being about its own position. Parameters that the target has by the same name are *shared*: they are the target's.
 * Invariants: the programs agree on parameters and caches that both name; what does not fit the target is reported by
 * `fit`, with both sides, before anything is built.
 */
import { type ConfigSchema, GraphBuilder, sameDims } from './builder.ts'
import { printDims } from './dim.ts'
import { printFormat } from './format.ts'
import type { Graph, NodeOf } from './graph.ts'
import type { Problem, Report } from './problem.ts'
import type { Dims } from './shapes.ts'

export interface DrafterPrograms {
  readonly commit: Graph
  readonly draft: Graph
}

export interface Drafter<Config = unknown, Target = unknown> {
  readonly kind: 'drafter'
  readonly name: string
  readonly config: ConfigSchema<Config>
  /** Rows of a draft block, and the token whose rows are to be filled in. */
  readonly block: (config: Config) => { readonly rows: number; readonly mask: number }
  /** Reports what keeps the drafter from serving a target of this config. */
  readonly fit: (config: Config, target: Target, report: Report) => void
  /** Fields that the target's config gets, so that the target taps what the drafter reads. */
  readonly section: (config: Config) => Readonly<Record<string, unknown>>
  /** Runs the author's functions. Findings go to `report`; the graphs are sound only if there were none. */
  readonly build: (config: Config, target: Target, report: Report) => DrafterPrograms
}

export interface DrafterParts<Config, Target> extends Pick<Drafter<Config, Target>, 'block' | 'fit' | 'section'> {
  readonly commit: (m: GraphBuilder, config: Config, target: Target) => void
  readonly draft: (m: GraphBuilder, config: Config, target: Target) => void
}

export function defineDrafter<Config, Target>(
  name: string,
  config: ConfigSchema<Config>,
  { block, fit, section, commit, draft }: DrafterParts<Config, Target>,
): Drafter<Config, Target> {
  return {
    kind: 'drafter',
    name,
    config,
    block,
    fit,
    section,
    build: (value, target, report) => {
      const run = (program: string, body: typeof commit): Graph => {
        const m = new GraphBuilder(`${name}.${program}`, report)
        body(m, value, target)
        return m.graph()
      }
      const programs = { commit: run('commit', commit), draft: run('draft', draft) }
      for (const problem of disagreements(programs)) report(problem)
      return programs
    },
  }
}

function disagreements({ commit, draft }: DrafterPrograms): Problem[] {
  return [...differentParams(commit, draft), ...differentCaches(commit, draft)]
}

/** Parameters that two graphs name alike and declare differently; also how a drafter is compared with its target. */
export function differentParams(a: Graph, b: Graph): Problem[] {
  const known = new Map(a.params.map((p) => [p.name, p]))
  return b.params.flatMap((p): Problem[] => {
    const other = known.get(p.name)
    if (!other || (sameDims(p.dims, other.dims) && printFormat(p.format) === printFormat(other.format))) return []
    const sides = `${printDims(p.dims)} ${printFormat(p.format)} in '${b.name}' but ${printDims(other.dims)} ${printFormat(other.format)} in '${a.name}'`
    return [{ code: 'TILE1029', message: `parameter '${p.name}' is ${sides}`, span: p.span }]
  })
}

function differentCaches(commit: Graph, draft: Graph): Problem[] {
  const wrong = (message: string): Problem => ({ code: 'TILE1043', message })
  const remembered = new Map<string, NodeOf<'remember'>>()
  const found: Problem[] = []
  for (const node of commit.nodes) {
    if (node.op !== 'remember') continue
    if (remembered.has(node.cache)) found.push(wrong(`cache '${node.cache}' is remembered twice in '${commit.name}'`))
    remembered.set(node.cache, node)
  }
  const read = new Set<string>()
  for (const node of draft.nodes) {
    if (node.op !== 'attention' || node.cache === undefined) continue
    read.add(node.cache)
    const writer = remembered.get(node.cache)
    if (!writer) {
      found.push(wrong(`'${draft.name}' attends to cache '${node.cache}', which '${commit.name}' does not remember`))
      continue
    }
    const [written, wanted] = [cacheDims(commit, writer.inputs), cacheDims(draft, node.inputs.slice(1))]
    if (!written.every((dims, i) => sameDims(dims, wanted[i]!))) {
      const print = (sides: readonly Dims[]) => sides.map(printDims).join(' and ')
      found.push(wrong(`cache '${node.cache}' is given ${print(written)} but attended to as ${print(wanted)}`))
    }
    if (writer.window !== node.window) {
      const window = (w: number | undefined) => w ?? 'all'
      found.push(
        wrong(`cache '${node.cache}' keeps ${window(writer.window)} keys, but ${window(node.window)} are attended to`),
      )
    }
  }
  for (const name of remembered.keys()) {
    if (!read.has(name)) found.push(wrong(`cache '${name}' is remembered, but '${draft.name}' does not attend to it`))
  }
  return found
}

const cacheDims = (graph: Graph, inputs: readonly number[]): readonly Dims[] => inputs.map((i) => graph.nodes[i]!.dims)

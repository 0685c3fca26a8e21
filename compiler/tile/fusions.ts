/**
 * fusions: which small ops a phase takes along, by the author's `fuse` clauses.
 *
 * Vocabulary: ops are called as `tilec inspect --at graph` prints them (`norm`, `map`, `rope`), phases by their own names. A
 * phase that no clause names takes along whatever it can; one that a clause names takes along what is listed and nothing
 * else (`nothing`: no op at all); the rest becomes phases of its own. What cannot run apart must be listed (TILE2054).
 * Invariants: the passes ask here for every op that a phase could take along, and obey; clauses that were asked for by
 * nobody are reported (TILE2051).
 */
import type { GraphNode } from '../../dsl/graph.ts'
import type { Fusion, Located } from '../../dsl/schedule-ir.ts'
import { didYouMean, type Session } from '../diagnostics/diagnostic.ts'

/** What an author writes of a phase that takes nothing along. */
const NOTHING = 'nothing'

export class Fusions {
  readonly #listed = new Map<string, Set<string>>()
  readonly #into = new Map<string, Located<string>>()
  /** Ops that each phase could take along. */
  readonly #possible = new Map<string, Set<string>>()
  readonly #refused = new Set<string>()
  constructor(
    readonly clauses: readonly Fusion[],
    readonly session: Session,
  ) {
    for (const { what, into } of clauses) {
      for (const phase of into) {
        this.#into.set(phase.value, phase)
        const ops = this.#listed.get(phase.value) ?? new Set()
        for (const op of what) if (op.value !== NOTHING) ops.add(op.value)
        this.#listed.set(phase.value, ops)
      }
    }
  }

  /** Whether the phase takes the op along. `bound`: why it cannot run apart from it, if it cannot. */
  takes(node: GraphNode, phase: string, bound?: string): boolean {
    const { op } = node
    this.#possible.set(phase, (this.#possible.get(phase) ?? new Set()).add(op))
    const listed = this.#listed.get(phase)
    if (!listed || listed.has(op)) return true
    if (bound === undefined) return false
    const key = `${op} ${phase}`
    if (this.#refused.has(key)) return true
    this.#refused.add(key)
    const into = this.#into.get(phase)!
    this.session.report('TILE2054', `'${op}' cannot run apart from '${phase}': ${bound}`, {
      span: into.span,
      notes: [{ message: `this is the '${op}'`, ...(node.span && { span: node.span }) }],
      help: `fuse ${[...listed, op].join(', ')} -> ${phase}`,
    })
    return true
  }

  /** Reports what clauses say of phases and ops that there are not. */
  conclude(): void {
    const phases = [...this.#possible.keys()]
    for (const { what, into } of this.clauses) {
      for (const phase of into) {
        const possible = this.#possible.get(phase.value)
        if (!possible) {
          const meant = didYouMean(phase.value, phases)
          this.session.report('TILE2051', `nothing can be fused into '${phase.value}'`, {
            span: phase.span,
            help: meant ? `did you mean '${meant}'?` : `phases that take something along: ${phases.join(', ')}`,
          })
          continue
        }
        for (const op of what) {
          if (op.value === NOTHING || possible.has(op.value)) continue
          this.session.report('TILE2051', `'${phase.value}' has no '${op.value}' beside it that it could take along`, {
            span: op.span,
            help: `it can take along: ${[...possible].join(', ')} (as 'tilec inspect --at graph' names ops)`,
          })
        }
      }
    }
  }
}

/**
 * One HTML file with everything in it: pictures of the graph and of the schedule, and each level of the compiler as text.
 *
 * Invariant: self-contained; it loads nothing and runs no script.
 */
import type { Plan } from '../../compiler/plan/ir.ts'
import type { Graph } from '../../dsl/graph.ts'
import { graphPicture } from './graph-picture.ts'
import { schedulePicture } from './schedule-picture.ts'
import { escapeText } from './svg.ts'

export interface Page {
  readonly title: string
  readonly graph: Graph
  readonly plan: Plan
  /** The text that is unfolded. */
  readonly open: string
  readonly texts: readonly (readonly [name: string, text: string])[]
}

const style = `
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #667; --line: #99a; --paper: #fff; --box: #f4f5fa; --weighted: #e6eefb; --wait: #b03030; --signal: #1d7a3d; --channel: #7a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ee; --soft: #99a; --line: #667; --paper: #16171c; --box: #22242c; --weighted: #22314a; --wait: #ff8a80; --signal: #7ddc9b; --channel: #e5c07b; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem; }
pre, svg text { font: 12px ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; }
pre { overflow: auto; max-height: 80vh; background: var(--box); padding: 1rem; border-radius: 6px; }
.scroll { overflow: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: 6px; }
summary { cursor: pointer; font-weight: 600; margin: .6rem 0; }
svg text { fill: var(--ink); } svg .dims, svg .loop { fill: var(--soft); } svg .heading, svg .phase { font-weight: 700; }
svg .wait { fill: var(--wait); } svg .signal { fill: var(--signal); } svg .channel { fill: var(--channel); }
svg rect { fill: var(--box); stroke: var(--line); } svg rect.weighted { fill: var(--weighted); } svg rect.frame { fill: none; stroke-dasharray: 4 4; }
svg path { fill: none; stroke: var(--line); } svg path.counter { stroke: var(--signal); opacity: .7; } svg path.head { fill: var(--line); stroke: none; }
`

export function page({ title, graph, plan, open, texts }: Page): string {
  const folded = texts.map(
    ([name, text]) =>
      `<details${name === open ? ' open' : ''}><summary>${escapeText(name)}</summary><pre>${escapeText(text)}</pre></details>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>tilec: ${escapeText(title)}</title><style>${style}</style></head>
<body>
<h1>${escapeText(title)}</h1>
<h2>Graph</h2>
<p>Ops as boxes (blue: with weights), values as arrows. Layers of one kind are drawn once. Point at a box for all of it.</p>
<div class="scroll">${graphPicture(graph, plan)}</div>
<h2>Schedule</h2>
<p>One lane a role of an SM, one row a phase. Roles run side by side, each down its own lane, held only by what it waits for
(red); green arrows are counters, from the phase that signals to those that wait.</p>
<div class="scroll">${schedulePicture(plan)}</div>
<h2>Levels</h2>
${folded.join('\n')}
</body></html>
`
}

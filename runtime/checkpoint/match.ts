/**
 * Compares a checkpoint with what a model reads from it, tensor by tensor, before a single weight is read.
 *
 * Vocabulary: a *demand* is one tensor that some binding reads, as weights or as scales, with the shape and the dtypes
 * the model expects. Extra tensors are errors too, unless the model lists their prefix as unread.
 * Invariant: all findings are reported together; a checkpoint of another model would yield thousands, so each kind of
 * finding stops after `limit` and says how many more there are.
 */
import { didYouMean, Session } from '../../compiler/diagnostics/diagnostic.ts'
import type { Binding, ScaleGrid, StoredTensor } from '../../dsl/weights.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { FileTensor } from './safetensors.ts'

const limit = 20

interface Demand {
  readonly tensor: StoredTensor
  /** The first param that reads it. */
  readonly param: string
  /** Where the tensor holds scales: their grid and the tensor they belong to. */
  readonly grid?: { readonly scale: ScaleGrid; readonly weights: StoredTensor }
}

/** Throws a DiagnosticError with every finding when `checkpoint` is not what `bindings` read. */
export function matchWeights(checkpoint: Checkpoint, bindings: readonly Binding[], unread: readonly string[]): void {
  const demands = collectDemands(bindings)
  const session = new Session()
  const extra = [...checkpoint.tensors.values()].filter(
    (t) => !demands.has(t.name) && !unread.some((prefix) => t.name.startsWith(prefix)),
  )
  const missing: Demand[] = []
  const wrong: { readonly demand: Demand; readonly found: FileTensor }[] = []
  for (const demand of demands.values()) {
    const found = checkpoint.tensors.get(demand.tensor.name)
    if (!found) missing.push(demand)
    else if (!fits(demand.tensor, found)) wrong.push({ demand, found })
  }
  const names = extra.length <= 2000 ? extra.map((t) => t.name) : []
  some(missing, 'TILE7020', checkpoint.folder, session, ({ tensor, param }) => {
    const near = didYouMean(tensor.name, names)
    session.report('TILE7020', `has no tensor '${tensor.name}', which '${param}' is read from: ${describe(tensor)}`, {
      subject: checkpoint.folder,
      help: near && `did you mean '${near}'?`,
    })
  })
  some(extra, 'TILE7021', checkpoint.folder, session, (t) => {
    session.report('TILE7021', `tensor '${t.name}' (${describeFound(t)}) is not one that the model reads`, {
      subject: t.file,
      help: unread.length > 0 ? `the model ignores only tensors named ${unread.join(', ')}...` : undefined,
    })
  })
  some(wrong, 'TILE7022', checkpoint.folder, session, ({ demand, found }) => reportMisfit(demand, found, session))
  session.throwIfFailed()
}

function collectDemands(bindings: readonly Binding[]): Map<string, Demand> {
  const demands = new Map<string, Demand>()
  const add = (demand: Demand) => {
    if (!demands.has(demand.tensor.name)) demands.set(demand.tensor.name, demand)
  }
  for (const { param, segments } of bindings) {
    for (const { tensor, scale } of segments) {
      add({ tensor, param })
      if (scale) add({ tensor: scale.tensor, param, grid: { scale, weights: tensor } })
    }
  }
  return demands
}

const sameShape = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, i) => n === b[i])

const fits = (expected: StoredTensor, found: FileTensor) =>
  sameShape(expected.shape, found.shape) && expected.dtypes.some((d) => d === found.dtype)

function reportMisfit({ tensor, param, grid }: Demand, found: FileTensor, session: Session): void {
  const parts = { subject: found.file, notes: [{ message: `'${param}' is read from it` }] }
  if (!tensor.dtypes.some((d) => d === found.dtype)) {
    session.report(
      'TILE7023',
      `tensor '${tensor.name}' is ${found.dtype}; the model expects ${tensor.dtypes.join(' or ')}`,
      parts,
    )
  }
  if (sameShape(tensor.shape, found.shape)) return
  if (grid && isUngroupedGrid(grid.scale, grid.weights, found)) {
    const groups = grid.weights.shape[0]! / grid.scale.period
    session.report(
      'TILE7024',
      `tensor '${tensor.name}' has ${found.shape[0]} scale rows, one grid over all ${grid.weights.shape[0]} rows; ` +
        `the model expects ${tensor.shape[0]}, a grid for each of ${groups} groups of ${grid.scale.period} rows`,
      {
        ...parts,
        help: 'this is a repack in [all Q|all K|all V] order; repack it as [Q|K|V] for each group, with scales for each group',
      },
    )
    return
  }
  const shapes = `tensor '${tensor.name}' is [${found.shape.join(', ')}]; the model expects [${tensor.shape.join(', ')}]`
  session.report('TILE7022', shapes, parts)
}

/** ceil(all rows / block) scale rows where each group should have had its own. */
function isUngroupedGrid(scale: ScaleGrid, weights: StoredTensor, found: FileTensor): boolean {
  const rows = weights.shape[0]!
  return scale.period < rows && found.shape[0] === Math.ceil(rows / scale.block[0])
}

function some<T>(
  items: readonly T[],
  code: 'TILE7020' | 'TILE7021' | 'TILE7022',
  subject: string,
  session: Session,
  report: (item: T) => void,
): void {
  items.slice(0, limit).forEach(report)
  if (items.length > limit) session.report(code, `and ${items.length - limit} more of this kind`, { subject })
}

const describe = (t: StoredTensor) => `${t.dtypes.join(' or ')} [${t.shape.join(', ')}]`
const describeFound = (t: FileTensor) => `${t.dtype} [${t.shape.join(', ')}]`

/**
 * Reads a model's config through its schema and turns what the schema says into diagnostics that name the field.
 *
 * Vocabulary: *missing*, *unknown*, *unsupported* (a legal kind of value that this model does not implement) and
 * *contradictory* (fields that are legal one by one and impossible together) are told apart by code.
 */
import type { ConfigSchema } from '../../dsl/builder.ts'
import { type DiagnosticParts, didYouMean, type Session } from '../diagnostics/diagnostic.ts'

/** The part of a zod issue that is used here; a schema of another library only needs `message` and `path`. */
interface Issue {
  readonly code?: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly input?: unknown
  readonly keys?: readonly string[]
  readonly values?: readonly unknown[]
  readonly expected?: string
  readonly errors?: readonly (readonly Issue[])[]
  readonly minimum?: number | bigint
  readonly maximum?: number | bigint
}

export function readConfig<Config>(
  schema: ConfigSchema<Config>,
  json: unknown,
  session: Session,
  source: DiagnosticParts = {},
): { readonly value: Config } | undefined {
  const result = schema.safeParse(json)
  if (result.success) return { value: result.data }
  for (const issue of result.error.issues as readonly Issue[]) report(issue, schema, json, session, source)
  return undefined
}

function report(issue: Issue, schema: unknown, json: unknown, session: Session, source: DiagnosticParts): void {
  const field = fieldName(issue.path)
  const found = valueAt(json, issue.path)
  if (issue.code === 'unrecognized_keys') {
    const legal = fieldsAt(schema, issue.path)
    for (const key of issue.keys ?? []) {
      const name = fieldName([...issue.path, key])
      const meant = didYouMean(key, legal)
      session.report('TILE1031', `config field '${name}' is unknown to this model`, {
        ...source,
        help: meant
          ? `did you mean '${meant}'?`
          : 'a field that changes no result must be listed as bookkeeping by the model',
      })
    }
  } else if (issue.code === 'custom') {
    session.report('TILE1032', `config field '${field}' ${issue.message}`, source)
  } else if (found === undefined) {
    session.report('TILE1034', `config field '${field}' is missing`, { ...source, help: expectation(issue) })
  } else if (issue.code === 'invalid_value' || issue.code === 'invalid_union') {
    const help = expectation(issue)
    session.report('TILE1033', `config field '${field}' is ${show(found)}, which this model does not support`, {
      ...source,
      help,
    })
  } else {
    session.report('TILE1030', `config field '${field}' is ${show(found)}: ${lower(issue.message)}`, source)
  }
}

/** What would have been accepted, as far as the issue says. */
function expectation(issue: Issue): string | undefined {
  const legal = [...new Set(accepted(issue))]
  return legal.length > 0 ? `accepted: ${legal.join(', ')}` : undefined
}
function accepted(issue: Issue): string[] {
  if (issue.values) return issue.values.map(show)
  if (issue.errors) return issue.errors.flatMap((alternative) => alternative.flatMap(accepted))
  return issue.expected ? [issue.expected] : []
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)
const fieldName = (path: readonly PropertyKey[]): string =>
  path.map((p, i) => (typeof p === 'number' ? `[${p}]` : `${i ? '.' : ''}${String(p)}`)).join('') || 'config'

function valueAt(json: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((v, key) => (v !== null && typeof v === 'object' ? Reflect.get(v, key) : undefined), json)
}

/** Field names of the object schema at `path`, looking through transforms, refinements and optional wrappers. */
function fieldsAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let at = unwrapped(schema)
  for (const key of path) at = unwrapped(property(property(at, 'shape'), key))
  const shape = property(at, 'shape')
  return shape && typeof shape === 'object' ? Object.keys(shape) : []
}
function unwrapped(schema: unknown): unknown {
  for (let s = schema; ; ) {
    const inner = property(s, 'in') ?? property(property(s, 'def'), 'innerType')
    if (property(s, 'shape') !== undefined || inner === undefined) return s
    s = inner
  }
}
const property = (v: unknown, key: PropertyKey): unknown =>
  v !== null && typeof v === 'object' ? Reflect.get(v, key) : undefined

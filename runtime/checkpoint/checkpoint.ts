/**
 * A checkpoint folder as Hugging Face publishes it, opened: config, tensors and the files of the tokenizer.
 *
 * Vocabulary: a *shard* is one safetensors file; the *index* says which tensor lies in which shard.
 * Invariants: only headers and JSON are read here, nothing is executed or unpickled; all findings of a folder are
 * reported together; a checkpoint that is returned is whole: every tensor the index names is there, once, in bounds.
 */
import { join } from 'node:path'
import { type Diagnostic, Session } from '../../compiler/diagnostics/diagnostic.ts'
import { type Folder, locate, openFolder } from './folder.ts'
import { isObject, readJsonFile } from './json.ts'
import { type FileTensor, readSafetensors } from './safetensors.ts'

export interface Checkpoint {
  readonly folder: string
  /** config.json as it is; the model's own schema checks it. */
  readonly config: Readonly<Record<string, unknown>>
  /** generation_config.json, where there is one. */
  readonly generationConfig?: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, FileTensor>
  readonly tokenizer: TokenizerFiles
  /** What was odd but not wrong. */
  readonly warnings: readonly Diagnostic[]
}

/** Paths of the tokenizer's files; those that are absent are left out. A drafter's folder has none of them. */
export interface TokenizerFiles {
  readonly tokenizer?: string
  readonly config?: string
  readonly template?: string
}

/**
 * Opens `path`. Throws a DiagnosticError with every finding when one of them is an error. `beside`: files that lie beside
 * the weights and are read by somebody else.
 */
export function openCheckpoint(path: string, beside: readonly string[] = []): Checkpoint {
  const session = new Session()
  const folder = openFolder(path, session)
  const parts = folder && {
    config: readObject(folder, 'config.json', true, session),
    generationConfig: readObject(folder, 'generation_config.json', false, session),
    tensors: readTensors({ ...folder, names: folder.names.filter((n) => !beside.includes(n)) }, session),
    tokenizer: locateTokenizer(folder, session),
  }
  session.throwIfFailed()
  const { config, generationConfig, tensors, tokenizer } = parts!
  return {
    folder: path,
    config: config!,
    ...(generationConfig && { generationConfig }),
    tensors,
    tokenizer,
    warnings: session.diagnostics,
  }
}

/** The tokenizer of a folder alone, for tools that need no weights. Throws a DiagnosticError. */
export function tokenizerFiles(path: string): TokenizerFiles {
  const session = new Session()
  const folder = openFolder(path, session)
  const files = folder && locateTokenizer(folder, session)
  session.throwIfFailed()
  return files!
}

function locateTokenizer(folder: Folder, session: Session): TokenizerFiles {
  const present = (name: string) =>
    folder.names.includes(name) ? locate(folder, name, folder.path, session) : undefined
  const tokenizer = present('tokenizer.json')
  const config = present('tokenizer_config.json')
  const template = present('chat_template.jinja')
  return { ...(tokenizer && { tokenizer }), ...(config && { config }), ...(template && { template }) }
}

function readObject(folder: Folder, name: string, required: boolean, session: Session) {
  if (!folder.names.includes(name)) {
    if (required) session.report('TILE7002', `has no ${name}`, { subject: folder.path })
    return undefined
  }
  const path = locate(folder, name, folder.path, session)
  if (path === undefined) return undefined
  const json = readJsonFile(path)
  if (!json.ok) {
    session.report('TILE7003', `is not JSON: ${json.reason}`, { subject: path })
    return undefined
  }
  for (const key of json.duplicates) session.report('TILE7014', `names '${key}' twice`, { subject: path })
  if (!isObject(json.value)) {
    session.report('TILE7003', 'is JSON, but not an object', { subject: path })
    return undefined
  }
  return json.value
}

const indexSuffix = '.safetensors.index.json'

function readTensors(folder: Folder, session: Session): Map<string, FileTensor> {
  const index = chooseOne(folder, indexSuffix, session)
  if (index === 'ambiguous') return new Map()
  if (index !== undefined) return readIndexed(folder, index, session)
  const file = chooseOne(folder, '.safetensors', session)
  if (file === undefined) session.report('TILE7002', 'has no safetensors file', { subject: folder.path })
  if (file === undefined || file === 'ambiguous') return new Map()
  const path = locate(folder, file, folder.path, session)
  return new Map((path === undefined ? [] : (readSafetensors(path, session) ?? [])).map((t) => [t.name, t]))
}

/** The one file of the folder with this suffix, `model` of several; 'ambiguous' after reporting that it is unclear. */
function chooseOne(folder: Folder, suffix: string, session: Session): string | 'ambiguous' | undefined {
  const candidates = folder.names.filter((n) => n.endsWith(suffix)).sort()
  if (candidates.length < 2) return candidates[0]
  if (candidates.includes(`model${suffix}`)) return `model${suffix}`
  session.report('TILE7017', `has several files that may hold the weights: ${candidates.join(', ')}`, {
    subject: folder.path,
    help: `keep one of them, or add an index named model${indexSuffix}`,
  })
  return 'ambiguous'
}

function readIndexed(folder: Folder, indexName: string, session: Session): Map<string, FileTensor> {
  const indexPath = join(folder.path, indexName)
  const tensors = new Map<string, FileTensor>()
  const index = readObject(folder, indexName, true, session)
  if (!index) return tensors
  const weightMap = index.weight_map
  if (!isObject(weightMap)) {
    session.report('TILE7004', "has no object 'weight_map'", { subject: indexPath })
    return tensors
  }
  const byFile = new Map<string, string[]>()
  for (const [name, file] of Object.entries(weightMap)) {
    if (typeof file !== 'string') {
      session.report('TILE7004', `maps '${name}' to ${JSON.stringify(file)}, not to a file name`, {
        subject: indexPath,
      })
      continue
    }
    const names = byFile.get(file)
    if (names) names.push(name)
    else byFile.set(file, [name])
  }
  const shards: Shard[] = []
  for (const [file, listed] of byFile) {
    const path = locate(folder, file, indexPath, session)
    const held = path === undefined ? undefined : readSafetensors(path, session)
    if (path !== undefined && held) shards.push({ path, listed: new Set(listed), held })
  }
  return joinShards(shards, indexPath, session)
}

interface Shard {
  readonly path: string
  /** What the index places in it. */
  readonly listed: ReadonlySet<string>
  readonly held: readonly FileTensor[]
}

function joinShards(shards: readonly Shard[], indexPath: string, session: Session): Map<string, FileTensor> {
  const tensors = new Map<string, FileTensor>()
  const holders = new Map<string, string>()
  for (const { path, listed, held } of shards) {
    for (const tensor of held) {
      const other = holders.get(tensor.name)
      holders.set(tensor.name, path)
      if (other !== undefined) {
        session.report('TILE7015', `tensor '${tensor.name}' is also in ${other}`, { subject: path })
      } else if (!listed.has(tensor.name)) {
        session.report('TILE7016', `holds tensor '${tensor.name}', which ${indexPath} does not place there`, {
          subject: path,
          severity: 'warning',
          help: 'it is not used',
        })
      } else tensors.set(tensor.name, tensor)
    }
    const present = new Set(held.map((t) => t.name))
    for (const name of listed) {
      if (!present.has(name)) {
        session.report('TILE7016', `has no usable tensor '${name}', which ${indexPath} places there`, { subject: path })
      }
    }
  }
  return tensors
}

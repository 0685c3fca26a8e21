/**
 * Where the package lies and what it ships: device sources, templates, nano.
 *
 * Compiled modules live in `dist/`, sources beside the assets, an installed package under `node_modules/`; in all three
 * the root is the nearest folder above this module whose package.json says `tilec`.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InternalError } from '../compiler/diagnostics/diagnostic.ts'

export const packageName = 'tilec'

export const packageRoot: string = (() => {
  const start = dirname(fileURLToPath(import.meta.url))
  for (let folder = start; ; folder = dirname(folder)) {
    if (isPackage(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) throw new InternalError(`no package.json of '${packageName}' lies above ${start}`)
  }
})()

/** The path of something that the package ships, e.g. `asset('codegen', 'device')`. */
export function asset(...parts: readonly string[]): string {
  const path = join(packageRoot, ...parts)
  if (!existsSync(path)) throw new InternalError(`the package does not contain ${parts.join('/')} (looked at ${path})`)
  return path
}

function isPackage(path: string): boolean {
  if (!existsSync(path)) return false
  const json: unknown = JSON.parse(readFileSync(path, 'utf8'))
  return typeof json === 'object' && json !== null && 'name' in json && json.name === packageName
}

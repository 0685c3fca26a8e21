/**
 * Names in a checkpoint folder. An index file names shards, and an index comes from the network: a name may only lead to
 * a file inside the folder.
 *
 * Vocabulary: the *root* is where files may really lie once links are followed: the folder itself or, in the cache of
 * Hugging Face's hub, whose snapshots are links into `blobs`, the folder that holds both.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, sep } from 'node:path'
import type { Session } from '../../compiler/diagnostics/diagnostic.ts'
import { errorCode } from './json.ts'

export interface Folder {
  readonly path: string
  /** Names of the files directly in it. */
  readonly names: readonly string[]
  readonly root: string
}

export function openFolder(path: string, session: Session): Folder | undefined {
  try {
    const real = realpathSync(path)
    const names = readdirSync(real)
    // a snapshot, or a folder in it such as a drafter's
    const snapshots = [dirname(real), dirname(dirname(real))].find((d) => basename(d) === 'snapshots')
    return { path, names, root: snapshots ? dirname(snapshots) : real }
  } catch (error) {
    session.report('TILE7001', `is not a folder that can be read (${errorCode(error)})`, { subject: path })
    return undefined
  }
}

/** The path of the file `name` in the folder; a finding and undefined when it is absent or leads outside. */
export function locate(folder: Folder, name: string, namedBy: string, session: Session): string | undefined {
  const outside = (why: string) =>
    void session.report('TILE7005', `names the file '${name}', ${why}`, {
      subject: namedBy,
      help: 'files of a checkpoint lie inside its folder; do not use this checkpoint unless you know its author',
    })
  if (name === '' || name.includes('\0')) return outside('which is not a file name')
  if (isAbsolute(name) || name.includes('\\') || name.split('/').includes('..')) {
    return outside(`which is not inside ${folder.path}`)
  }
  const path = join(folder.path, name)
  let real: string
  try {
    real = realpathSync(path)
    if (!statSync(real).isFile()) return outside('which is not a regular file')
  } catch (error) {
    session.report('TILE7002', `names the file '${name}', which is not there (${errorCode(error)})`, {
      subject: namedBy,
    })
    return undefined
  }
  return real.startsWith(folder.root + sep) ? path : outside(`a link to ${real}, which is not inside ${folder.root}`)
}

/** nano on the host engine, or on what TILEC_TEST_TARGET names: the session that the command line uses, and the prompts that everything is tried on. */
import { type OpenOptions, openModel, type Session } from '../../runtime/session/open-model.ts'
import './test-cache.ts'

export const prompts = [
  'export function add(a: number, b: number): number {\n',
  '/**\n * Returns true when the string is empty.\n */\nexport function isEmpty(',
  "import { readFileSync } from 'node:fs'\n\nconst ",
  'export class Queue<T> {\n  private items: T[] = []\n\n  ',
  'const sorted = values.sort((a, b) => ',
  'interface Options {\n  readonly name: string\n  readonly ',
  'for (let i = 0; i < list.length; i++) {\n  if (',
  '// größe: die Länge in Zeichen\nfunction length(text) {\n  return ',
]

export const ctx = 512
export const target = process.env.TILEC_TEST_TARGET === 'sm_90a' ? 'sm_90a' : 'host'

export const openNano = (options: Partial<OpenOptions> = {}): Promise<Session> =>
  openModel({ model: 'nano', target, ctx, ...options })

export async function greedy(session: Session, tokens: readonly number[], count: number): Promise<readonly number[]> {
  return (await session.complete({ tokens, maxTokens: count, ignoreEnd: true })).tokenIds
}

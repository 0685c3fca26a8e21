/** A terminal for tests of the command line: what was written, and how it ended. */
import { main } from '../../cli/main.ts'

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

export async function tilec(
  words: readonly string[],
  options: {
    readonly tty?: boolean
    readonly env?: Record<string, string>
    readonly signal?: AbortSignal
    readonly onOut?: (text: string) => void
  } = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const status = await main(words, {
    out: (text) => {
      out += text
      options.onOut?.(text)
    },
    err: (text) => {
      err += text
    },
    outIsTty: options.tty ?? false,
    errIsTty: options.tty ?? false,
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
    columns: 100,
  })
  return { status, out, err }
}

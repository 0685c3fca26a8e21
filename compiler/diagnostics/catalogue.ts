/**
 * The one list of diagnostic codes: number, short title and the text that `tilec explain` prints.
 * Codes are stable: never renumber, never reuse; append within the hundred that fits.
 */
export interface Entry {
  readonly title: string
  /** What it means, why it is refused and what to do: a short page in Markdown. */
  readonly explain: string
}

const entries = {
  TILE1001: { title: 'model file does not type-check', explain: 'The TypeScript compiler found an error in the model file. tilec reports what it said, at its place; the model was not executed.' },
} as const satisfies Record<string, Entry>

export type Code = keyof typeof entries | `TILE${number}`
export const catalogue: Readonly<Record<string, Entry>> = entries

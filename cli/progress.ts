/**
 * What is going on while a model is opened: one line on stderr that is rewritten, on a terminal; nothing elsewhere.
 *
 * Invariant: `done` leaves the line empty, so that what follows begins at its start.
 */
import type { Progress } from '../runtime/session/open-model.ts'
import { bytes } from './table.ts'
import type { Terminal } from './terminal.ts'

export interface ProgressLine {
  readonly show: (progress: Progress) => void
  readonly done: () => void
}

const texts: { readonly [K in Progress['stage']]: (p: Extract<Progress, { stage: K }>) => string } = {
  read: () => 'reading the model',
  compile: () => 'compiling',
  build: ({ target }) => `building the engine for ${target}`,
  load: ({ loaded, total }) =>
    `loading weights: ${bytes(loaded)} of ${bytes(total)}${total > 0 ? ` (${Math.floor((100 * loaded) / total)} %)` : ''}`,
}

export const progressText = (p: Progress): string => (texts[p.stage] as (p: Progress) => string)(p)

export function progressLine(terminal: Terminal): ProgressLine {
  if (!terminal.errIsTty) return { show: () => {}, done: () => {} }
  const began = performance.now()
  let text = ''
  let loading: number | undefined
  const draw = (): void => {
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    terminal.err(`\r\x1b[2K${`${text} ... ${seconds} s`.slice(0, terminal.columns - 1)}`)
  }
  const timer = setInterval(draw, 1000)
  timer.unref()
  return {
    show: (progress) => {
      text = progressText(progress)
      if (progress.stage === 'load') {
        loading ??= performance.now()
        const seconds = (performance.now() - loading) / 1000
        if (seconds >= 1) text += `, ${bytes(progress.loaded / seconds)} a second`
      }
      draw()
    },
    done: () => {
      clearInterval(timer)
      terminal.err('\r\x1b[2K')
    },
  }
}

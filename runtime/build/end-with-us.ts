/**
 * Processes that must not outlive this one: what ends them, called when this process exits, or is told to by SIGTERM or SIGHUP.
 *
 * Invariant: nothing listens to this process while there is nothing to end.
 */
const ends = new Set<() => void>()
const signals = ['SIGTERM', 'SIGHUP'] as const

function endAll(): void {
  for (const end of ends) end()
}

function signalled(signal: NodeJS.Signals): void {
  endAll()
  unlisten()
  process.kill(process.pid, signal)
}

function listen(): void {
  process.on('exit', endAll)
  for (const signal of signals) process.on(signal, signalled)
}

function unlisten(): void {
  process.off('exit', endAll)
  for (const signal of signals) process.off(signal, signalled)
}

/** What it returns takes `end` back: the process has ended by itself. */
export function endWithUs(end: () => void): () => void {
  if (ends.size === 0) listen()
  ends.add(end)
  return () => {
    if (ends.delete(end) && ends.size === 0) unlisten()
  }
}

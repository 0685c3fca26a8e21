/** Plain text tables: columns padded to their widest cell, numbers to the right. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

export function table(columns: readonly Column[], rows: readonly (readonly string[])[], indent = '  '): string {
  const widths = columns.map((c, i) => Math.max(c.title.length, ...rows.map((r) => (r[i] ?? '').length)))
  const line = (cells: readonly string[]): string =>
    `${indent}${columns
      .map((c, i) => {
        const cell = cells[i] ?? ''
        return c.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
      })
      .join('  ')}`.trimEnd()
  return `${[line(columns.map((c) => c.title)), ...rows.map(line)].join('\n')}\n`
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

/** 3 significant digits: `52.0 KiB`. */
export function bytes(n: number): string {
  let unit = 0
  let value = n
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value + 1)) : 3)} ${units[unit]}`
}

export const microseconds = (us: number): string =>
  us === 0 ? '' : us >= 1000 ? `${(us / 1000).toFixed(2)} ms` : `${us.toFixed(1)} us`

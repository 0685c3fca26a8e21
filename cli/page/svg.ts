/** The little SVG that the pictures need: escaped text, boxes, arrows, and one style sheet for all of them. */
export const escapeText = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!)

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export const rect = (b: Box, kind: string): string =>
  `<rect class="${kind}" x="${round(b.x)}" y="${round(b.y)}" width="${round(b.width)}" height="${round(b.height)}" rx="4"/>`

export const text = (x: number, y: number, content: string, kind = ''): string =>
  `<text${kind ? ` class="${kind}"` : ''} x="${round(x)}" y="${round(y)}">${escapeText(content)}</text>`

export const tooltip = (content: string): string => `<title>${escapeText(content)}</title>`

/** A curve from (x1, y1) down to (x2, y2), with an arrow's head. */
export function arrow(x1: number, y1: number, x2: number, y2: number, kind = 'edge'): string {
  const bend = Math.max(12, (y2 - y1) / 2)
  return `<path class="${kind}" d="M${round(x1)} ${round(y1)} C${round(x1)} ${round(y1 + bend)} ${round(x2)} ${round(y2 - bend)} ${round(x2)} ${round(y2)}" marker-end="url(#head)"/>`
}

/** From the right side of one box to the right side of another, by way of x = side. */
export const around = (x1: number, y1: number, x2: number, y2: number, side: number): string =>
  `<path class="edge" d="M${round(x1)} ${round(y1)} H${round(side)} V${round(y2)} H${round(x2)}" marker-end="url(#head)"/>`

export const picture = (width: number, height: number, parts: readonly string[]): string =>
  `<svg viewBox="0 0 ${Math.ceil(width)} ${Math.ceil(height)}" width="${Math.ceil(width)}" height="${Math.ceil(height)}" xmlns="http://www.w3.org/2000/svg">
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>
${parts.join('\n')}
</svg>`

const round = (n: number): number => Math.round(n * 10) / 10

/** Width of text in the pictures' type, near enough. */
export const textWidth = (content: string): number => content.length * 6.7

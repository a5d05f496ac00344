/** A tenant's colour made fit for text and buttons in both themes. */

type Rgb = [number, number, number]

const LIGHT_SURFACE: Rgb = [246, 247, 249]
const DARK_SURFACE: Rgb = [28, 34, 43]
const WHITE: Rgb = [255, 255, 255]
const INK: Rgb = [11, 18, 32]
/** WCAG 2.2, 1.4.3: the least contrast of text. */
const LEAST = 4.5

export function setAccent(hex: string): void {
  const accent = fit(hex)
  if (!accent) return
  const style = document.documentElement.style
  style.setProperty('--accent', `light-dark(${accent.light}, ${accent.dark})`)
  style.setProperty('--on-accent', `light-dark(${accent.onLight}, ${accent.onDark})`)
  style.setProperty('--accent-soft', `light-dark(${accent.softLight}, ${accent.softDark})`)
}

/** The accent for either theme, moved towards black or white until text in it can be read; null if `hex` is no #rrggbb. */
export function fit(hex: string) {
  const colour = parse(hex)
  if (!colour) return null
  const softLight = mix(colour, WHITE, 0.9)
  const softDark = mix(colour, DARK_SURFACE, 0.78)
  const light = towards(colour, [0, 0, 0], (c) => contrast(c, LIGHT_SURFACE) >= LEAST && contrast(c, softLight) >= LEAST)
  const dark = towards(colour, WHITE, (c) => contrast(c, DARK_SURFACE) >= LEAST && contrast(c, softDark) >= LEAST)
  return {
    light: css(light),
    dark: css(dark),
    onLight: css(readable(light)),
    onDark: css(readable(dark)),
    softLight: css(softLight),
    softDark: css(softDark),
  }
}

export function contrastOf(a: string, b: string): number {
  const [x, y] = [parse(a), parse(b)]
  return x && y ? contrast(x, y) : 0
}

const parse = (hex: string): Rgb | null => {
  const found = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex)
  return found ? [parseInt(found[1]!, 16), parseInt(found[2]!, 16), parseInt(found[3]!, 16)] : null
}
const css = (colour: Rgb) => `#${colour.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`
const mix = (a: Rgb, b: Rgb, share: number): Rgb => a.map((part, i) => part + (b[i]! - part) * share) as Rgb
const readable = (on: Rgb): Rgb => (contrast(on, WHITE) >= LEAST ? WHITE : INK)

function towards(colour: Rgb, end: Rgb, enough: (colour: Rgb) => boolean): Rgb {
  for (let share = 0; share < 1; share += 0.05) {
    const candidate = mix(colour, end, share).map(Math.round) as Rgb
    if (enough(candidate)) return candidate
  }
  return end
}

function contrast(a: Rgb, b: Rgb): number {
  const [x, y] = [luminance(a), luminance(b)]
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as Rgb
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

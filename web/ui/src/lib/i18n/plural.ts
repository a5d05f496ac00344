import type { Language } from '../api'

/** Picks between the forms for one and for more, by the rules of the language. */
export function plural(lang: Language): (n: number, one: string, more: string) => string {
  const rules = new Intl.PluralRules(lang)
  return (n, one, more) => (rules.select(n) === 'one' ? one : more)
}

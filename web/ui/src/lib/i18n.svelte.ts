import type { Language } from './api'
import { en } from './i18n/en'
import { es } from './i18n/es'
import type { Wide } from './i18n/wide'

export type Words = Wide<typeof en>

const dictionaries: Record<Language, Words> = { en, es }

/** The page's language; changing it redraws the page. Customers' pages keep it in their address, staff's in a cookie. */
class Tongue {
  lang = $state<Language>('en')

  get words(): Words {
    return dictionaries[this.lang]
  }

  /** The other language, named in itself. */
  get other(): { lang: Language; name: string } {
    const lang = this.lang === 'en' ? 'es' : 'en'
    return { lang, name: dictionaries[lang].language }
  }

  set(lang: Language): void {
    this.lang = lang
    document.documentElement.lang = lang
  }

  choose(lang: Language): void {
    this.set(lang)
    const address = new URL(location.href)
    address.searchParams.set('lang', lang)
    history.replaceState(history.state, '', address)
  }

  /** For every staff page of this browser and this server from now on. The address does not say it: kept in a bookmark it would
      go before a later choice. */
  keep(lang: Language): void {
    this.set(lang)
    document.cookie = `ringback_lang=${lang}; path=/; max-age=31536000; samesite=lax`
    const address = new URL(location.href)
    if (!address.searchParams.has('lang')) return
    address.searchParams.delete('lang')
    history.replaceState(history.state, '', address)
  }

  /** How a staff page begins: as the server found, and a language that the address asked for is a choice like any other. */
  begin(lang: Language): void {
    if (new URLSearchParams(location.search).has('lang')) this.keep(lang)
    else this.set(lang)
  }
}

export const tongue = new Tongue()

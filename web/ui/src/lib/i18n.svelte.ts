import type { Language } from './api'
import { en } from './i18n/en'
import { es } from './i18n/es'
import type { Wide } from './i18n/wide'

export type Words = Wide<typeof en>

const dictionaries: Record<Language, Words> = { en, es }

/** The page's language; changing it redraws the page and is kept in its address. */
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

  /** The same, for every page of this browser and this server from now on. */
  keep(lang: Language): void {
    this.choose(lang)
    document.cookie = `ringback_lang=${lang}; path=/; max-age=31536000; samesite=lax`
  }
}

export const tongue = new Tongue()

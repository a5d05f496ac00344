import { tongue } from '../lib/i18n.svelte'
import type { Wide } from '../lib/i18n/wide'
import { en } from './words/en'
import { es } from './words/es'

/** The demo portal's words in the page's language; read where they are drawn. */
export const words = (): Wide<typeof en> => (tongue.lang === 'es' ? es : en)

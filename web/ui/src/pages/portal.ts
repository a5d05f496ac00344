import '../style/base.css'
import '../style/plain.css'
import Portal from '../portal/Portal.svelte'
import { start } from '../lib/boot'

start(Portal)

import '../style/base.css'
import '../style/plain.css'
import StatusPage from '../customer/StatusPage.svelte'
import { start } from '../lib/boot'

start(StatusPage)

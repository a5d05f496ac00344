import '../style/base.css'
import SupervisorPage from '../supervisor/SupervisorPage.svelte'
import { start } from '../lib/boot'

start(SupervisorPage)

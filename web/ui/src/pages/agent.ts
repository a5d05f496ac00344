import '../style/base.css'
import AgentPage from '../agent/AgentPage.svelte'
import { start } from '../lib/boot'

start(AgentPage)

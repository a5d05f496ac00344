import '../style/base.css'
import '../style/plain.css'
import CallMe from '../customer/CallMe.svelte'
import { start } from '../lib/boot'

start(CallMe)

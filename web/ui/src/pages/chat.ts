import '../style/base.css'
import '../style/plain.css'
import Chat from '../chat/Chat.svelte'
import { start } from '../lib/boot'

start(Chat)

import '../style/base.css'
import '../style/plain.css'
import Login from '../login/Login.svelte'
import { start } from '../lib/boot'

start(Login)

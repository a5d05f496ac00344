import '../style/base.css'
import '../style/plain.css'
import Account from '../login/Account.svelte'
import { start } from '../lib/boot'

start(Account)

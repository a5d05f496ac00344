import '../style/base.css'
import AdminPage from '../admin/AdminPage.svelte'
import { start } from '../lib/boot'

start(AdminPage)

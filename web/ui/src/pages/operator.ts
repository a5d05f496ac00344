import '../style/base.css'
import OperatorPage from '../operator/OperatorPage.svelte'
import { start } from '../lib/boot'

start(OperatorPage)

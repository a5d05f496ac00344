import { supervisorWords } from './words'

type Causes = ReturnType<typeof supervisorWords>['causes']

/** How the server words why a line is down. What comes from the carrier itself stays as it came. */
const KNOWN: [RegExp, (words: Causes, ...parts: string[]) => string][] = [
  [/^not looked up yet$/, (words) => words.notLookedUp],
  [/^not heard of yet$/, (words) => words.notHeard],
  [/^no answer to (\w+)$/, (words, method = '') => words.noAnswer(method)],
  [/^(\w+) is answered by (.+)$/, (words, method = '', what = '') => words.answered(method, what)],
  [/^TLS: no handshake in time$/, (words) => words.noHandshake],
  [/^TLS: the carrier's certificate has expired$/, (words) => words.expired],
  [/^TLS: the carrier's certificate is signed by none of the roots in (.+)$/, (words, roots = '') => words.unsigned(roots)],
  [/^TLS: the carrier's certificate is not for (.+)$/, (words, name = '') => words.otherName(name)],
  [/^no connection: (.+)$/, (words, why = '') => words.noConnection(why)],
  [/^no connection in time$/, (words) => words.noConnectionInTime],
  [/^the connection broke$/, (words) => words.broke],
  [/^the connection broke: (.+)$/, (words, why = '') => words.brokeBy(why)],
]

/** Why a line is down, in the page's language where it is known there. */
export function causeWords(cause: string): string {
  for (const [pattern, say] of KNOWN) {
    const [whole, ...parts] = pattern.exec(cause) ?? []
    if (whole !== undefined) return say(supervisorWords().causes, ...parts)
  }
  return cause
}

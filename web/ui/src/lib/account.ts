/** The signed-in person's own account, as it comes over the wire. */

/** A secret for an authenticator app, not yet in force. */
export interface FactorOffer {
  secret: string
  uri: string
  /** SVG. */
  qr: string
  /** Milliseconds since 1970. */
  until: number
  seal: string
}

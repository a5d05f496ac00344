// A foreign identity provider: oidc-provider, with people and groups of our choosing.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';
import { freePort } from './process.mjs';

export const CLIENT = 'ringback';
export const SECRET = 'a secret of the end-to-end tests & more';

export class IdentityProvider {
  /** `people`: name typed at its sign-in page → groups. `server`: our origin. */
  static async start({ people, server }) {
    const self = new IdentityProvider();
    const port = await freePort();
    self.issuer = `http://127.0.0.1:${port}`;
    self.people = people;
    const provider = new Provider(self.issuer, {
      clients: [
        {
          client_id: CLIENT,
          client_secret: SECRET,
          redirect_uris: [`${server}/login/oidc/callback`],
          post_logout_redirect_uris: [`${server}/login`],
          backchannel_logout_uri: `${server}/login/oidc/backchannel`,
          backchannel_logout_session_required: true,
          grant_types: ['authorization_code'],
          response_types: ['code'],
        },
      ],
      pkce: { required: () => true },
      conformIdTokenClaims: false,
      claims: { openid: ['sub', 'sid'], profile: ['name', 'preferred_username', 'groups'], email: ['email'] },
      features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: true } },
      cookies: { keys: ['only-for-tests'] },
      // Its own way of asking leaves loopback addresses alone, and that is where we are.
      fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({ sub: id, name: `${id[0].toUpperCase()}${id.slice(1)} Example`, preferred_username: id, groups: self.people[id] ?? [] }),
      }),
    });
    self.errors = [];
    for (const event of ['server_error', 'grant.error', 'authorization.error', 'backchannel.error']) {
      provider.on(event, (...given) => self.errors.push(`${event}: ${given.map((one) => one?.message ?? '').join(' ')}`));
    }
    self.http = createServer(provider.callback());
    await new Promise((done) => self.http.listen(port, '127.0.0.1', done));
    return self;
  }

  /** Signs in at its page and agrees to whatever it asks. */
  async signIn(page, person, home) {
    await page.getByPlaceholder(/login/i).fill(person);
    await page.getByPlaceholder(/password/i).fill('any');
    await page.getByRole('button', { name: /sign-in|sign in|continue/i }).click();
    const agree = page.getByRole('button', { name: /continue/i });
    await Promise.race([agree.waitFor().then(() => agree.click()), page.waitForURL(home)]);
    await page.waitForURL(home);
  }

  async stop() {
    this.http?.closeAllConnections();
    await new Promise((done) => this.http?.close(done));
  }
}

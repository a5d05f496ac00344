// A certificate authority for one scenario, by the openssl command.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Authority {
  constructor(name) {
    this.folder = mkdtempSync(join(tmpdir(), 'ringback-authority-'));
    this.root = join(this.folder, 'root.pem');
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', this.path('root.key'), '-out', this.root);
  }

  path(name) {
    return join(this.folder, name);
  }

  /** Certificate and key for an address, both files. */
  issue(address) {
    const [certificate, key, request] = ['pem', 'key', 'csr'].map((kind) => this.path(`${address}.${kind}`));
    writeFileSync(this.path('names'), `subjectAltName=IP:${address}\n`);
    openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${address}`, '-keyout', key, '-out', request);
    openssl('x509', '-req', '-in', request, '-CA', this.root, '-CAkey', this.path('root.key'), '-CAcreateserial', '-days', '2', '-extfile', this.path('names'), '-out', certificate);
    return { certificate, key };
  }
}

const openssl = (...words) => execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'] });

import { resolve } from 'node:path'
import { execa } from 'execa'

/** Makes a certificate for this machine, signed by itself, and its key. Returns their paths. */
export async function certificateIn(folder: string): Promise<Readonly<{ cert: string; key: string }>> {
  const [cert, key] = [resolve(folder, 'cert.pem'), resolve(folder, 'key.pem')]
  const subject = ['-subj', '/CN=wood', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  await execa('openssl', ['req', ...made, ...subject, '-keyout', key, '-out', cert])
  return { cert, key }
}

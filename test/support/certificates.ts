import {webcrypto} from 'node:crypto'
import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import 'reflect-metadata' // before @peculiar/x509, which finds its parts by it
import * as x509 from '@peculiar/x509'
import {onTestFinished} from 'vitest'

const ALGORITHM = {name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256'} as const
const HOUR_MS = 3_600_000

x509.cryptoProvider.set(webcrypto as unknown as Crypto)

/** A certificate authority of this test's own. */
export type Authority = {
  /** File of its certificate, for `ca`. */
  caFile: string
  /** Key and certificate, in PEM, of a server with these names. It expires `expiresInMs` from now. */
  issue(names: readonly string[], validity?: {expiresInMs?: number}): Promise<{key: string; cert: string}>
}

export async function authority(): Promise<Authority> {
  const keys = await newKeys()
  const name = 'CN=authority of a test'
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 48 * HOUR_MS),
    notAfter: new Date(Date.now() + 48 * HOUR_MS),
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  const dir = await mkdtemp(join(tmpdir(), 'skk-ca-'))
  onTestFinished(() => rm(dir, {recursive: true, force: true}))
  const caFile = join(dir, 'ca.pem')
  await writeFile(caFile, ca.toString('pem'))
  return {
    caFile,
    async issue(names, {expiresInMs = 24 * HOUR_MS} = {}) {
      const server = await newKeys()
      const cert = await x509.X509CertificateGenerator.create({
        subject: `CN=${names[0]}`,
        issuer: name,
        publicKey: server.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        notBefore: new Date(Date.now() - 24 * HOUR_MS),
        notAfter: new Date(Date.now() + expiresInMs),
        extensions: [
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({type: isAddress(value) ? 'ip' : 'dns', value}) as const),
          ),
        ],
      })
      const key = await webcrypto.subtle.exportKey('pkcs8', server.privateKey as never)
      return {key: x509.PemConverter.encode(key, 'PRIVATE KEY'), cert: cert.toString('pem')}
    },
  }
}

const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name)

const newKeys = (): Promise<CryptoKeyPair> =>
  webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as unknown as Promise<CryptoKeyPair>

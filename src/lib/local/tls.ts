import {webcrypto} from 'node:crypto'
import {mkdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {writeAtomically} from './data-dir.js'

export type Certificates = {key: string; cert: string; caFile: string}

const DAY_MS = 86_400_000
const NAMES = ['localhost', '*.localhost'] as const
const ADDRESSES = ['127.0.0.1', '::1'] as const
const ALGORITHM = {name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256'} as const

/**
 * A certificate for the loopback names, signed by an authority of this data directory's own, which is made at the first start.
 * The authority's key is thrown away after it has signed, so nothing else can ever be trusted through `ca.pem`.
 * PEM; `caFile` is the path of the authority's certificate, for clients to trust.
 */
export async function certificates(dataDir: string): Promise<Certificates> {
  const dir = join(dataDir, 'tls')
  const [caFile, keyFile, certFile] = [join(dir, 'ca.pem'), join(dir, 'key.pem'), join(dir, 'cert.pem')]
  try {
    const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certFile, 'utf8'), readFile(caFile)])
    if (!(await expiresSoon(cert))) return {key, cert, caFile}
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  await mkdir(dir, {recursive: true, mode: 0o700})
  const {ca, key, cert} = await issue()
  await writeAtomically(caFile, ca)
  await writeAtomically(keyFile, key)
  await writeAtomically(certFile, cert)
  return {key, cert, caFile}
}

const expiresSoon = async (pem: string): Promise<boolean> => {
  const {X509Certificate} = await import('node:crypto')
  return Date.parse(new X509Certificate(pem).validTo) < Date.now() + 30 * DAY_MS
}

async function issue(): Promise<{ca: string; key: string; cert: string}> {
  await import('reflect-metadata') // @peculiar/x509 finds its parts by it
  const x509 = await import('@peculiar/x509')
  const crypto = webcrypto as unknown as Crypto
  x509.cryptoProvider.set(crypto)
  const [authority, server] = await Promise.all([newKeys(), newKeys()])
  const validity = {notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + 825 * DAY_MS)}
  const name = 'CN=skk local certificate authority'
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys: authority,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authority.publicKey),
    ],
  })
  const cert = await x509.X509CertificateGenerator.create({
    subject: 'CN=localhost',
    issuer: name,
    publicKey: server.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        ...NAMES.map((value) => ({type: 'dns', value}) as const),
        ...ADDRESSES.map((value) => ({type: 'ip', value}) as const),
      ]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
    ],
  })
  const key = await crypto.subtle.exportKey('pkcs8', server.privateKey)
  return {ca: `${ca.toString('pem')}\n`, key: x509.PemConverter.encode(key, 'PRIVATE KEY'), cert: `${cert.toString('pem')}\n`}
}

const newKeys = (): Promise<CryptoKeyPair> =>
  (webcrypto as unknown as Crypto).subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>

import {once} from 'node:events'
import net from 'node:net'
import tls from 'node:tls'

import type {SkkError} from '../../errors.js'
import {reasonOf} from '../unreachable.js'
import {addressOf, type Finding, fault, type Place} from './check.js'
import type {Dial} from './network.js'

/** The TLS connection over `socket`, once its certificate has been verified, and what the certificate says. */
export async function secure(
  {host}: Place,
  socket: net.Socket,
  ca: string | undefined,
): Promise<Finding & {socket: tls.TLSSocket}> {
  const connection = await shakeHands(host, socket, ca)
  const certificate = connection.getPeerCertificate()
  if (!connection.authorized) {
    connection.destroy()
    throw new CertificateRefused(connection.authorizationError as unknown as string, certificate)
  }
  return {socket: connection, detail: describe(certificate, host)}
}

/** Whether a peer answers a TLS handshake; nothing else is sent. */
export async function speaksTls({host}: Place, dial: Dial): Promise<boolean> {
  const socket = await dial()
  const connection = await shakeHands(host, socket, undefined).catch(() => undefined)
  socket.destroy()
  return connection !== undefined
}

/**
 * A connection whose certificate has not been judged yet: `authorized` tells, and nothing may be sent before. Node would show
 * nothing of a certificate that it refuses itself.
 */
async function shakeHands(host: string, socket: net.Socket, ca: string | undefined): Promise<tls.TLSSocket> {
  const options = {...nameOf(host), ...(ca !== undefined && {ca}), rejectUnauthorized: false}
  const connection = tls.connect({socket, host, ...options})
  // A broken connection below is told to both, and may be told twice.
  connection.on('error', () => {})
  socket.on('error', (error) => connection.destroy(error))
  await once(connection, 'secureConnect')
  return connection
}

const nameOf = (host: string): {servername?: string} => (net.isIP(host) ? {} : {servername: host})

export class CertificateRefused extends Error {
  /** OpenSSL's or Node's code, such as `CERT_HAS_EXPIRED`. */
  readonly code: string
  readonly certificate: tls.PeerCertificate

  constructor(code: string, certificate: tls.PeerCertificate) {
    super(code)
    this.code = code
    this.certificate = certificate
  }
}

function describe(certificate: tls.PeerCertificate, host: string): string {
  const {subject, issuer, valid_to: until} = certificate
  return `${commonName(subject)}, issued by ${commonName(issuer)}, valid until ${day(until)}, has the name ${host}`
}

const commonName = ({CN, O}: {CN?: string | string[]; O?: string | string[]}): string => String(CN ?? O ?? 'nobody')

const day = (date: string): string => new Date(date).toISOString().slice(0, 10)

/** Why a certificate was refused. */
export function certificateFault(place: Place, {code, certificate}: CertificateRefused): SkkError {
  const where = `"${addressOf(place)}"`
  const {via} = place.target
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return fault(`the certificate of ${where} expired on ${day(certificate.valid_to)}`, 'Renew it on the broker.')
    case 'CERT_NOT_YET_VALID':
      return fault(`the certificate of ${where} is valid only from ${day(certificate.valid_from)}`, "Check this machine's clock.")
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const names = (certificate.subjectaltname ?? commonName(certificate.subject)).replaceAll(/(?:DNS|IP Address):/g, '')
      return fault(
        `the certificate of ${where} is for ${names}`,
        via ? `Check that "${via}" leads to "${place.host}".` : 'Use one of its names in `--bootstrap`.',
      )
    }
    default:
      return fault(
        `the certificate of ${where}, issued by ${commonName(certificate.issuer)}, is not trusted here (${code})`,
        'Pass the file of its authority by `--ca`, if you trust it.',
      )
  }
}

/** Why no handshake came about. */
export function handshakeFault(place: Place, error: NodeJS.ErrnoException | null): SkkError {
  const where = `"${addressOf(place)}"`
  if (error === null) return fault(`${where} does not answer the TLS handshake`, 'Check that the port is that of a Kafka broker.')
  const {via} = place.target
  const fix = via
    ? `Check that the other end of "${via}" reaches the broker.`
    : 'Check that the port is that of a broker with TLS.'
  return fault(`no TLS with ${where}: ${reasonOf(error)}`, fix, error)
}

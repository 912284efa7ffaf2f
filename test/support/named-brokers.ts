import {onTestFinished} from 'vitest'

import {loadIdentities} from '../../src/lib/local/iam-file.js'
import {Broker} from '../../src/lib/local/kafka/broker.js'
import type {Listener} from '../../src/lib/local/kafka/connection.js'
import {serve} from '../../src/lib/local/kafka/server.js'
import {temporaryDataDir} from './stack.js'

export type Named = {
  /** Name as it is advertised, key and certificate. */
  host: string
  tls?: {key: string; cert: string}
}

/** One cluster of the embedded stack, a node per name, on loopback under names that no resolver knows. Answers with its ports. */
export async function namedBrokers(
  security: Listener['security'],
  nodes: readonly Named[],
): Promise<{ports: Record<string, number>; broker: Broker}> {
  const broker = await Broker.open({
    name: 'named',
    arn: 'arn:aws:kafka:us-east-1:123456789012:cluster/named/1-s1',
    dir: await temporaryDataDir(),
    nodes: nodes.length,
    profile: 'msk-serverless',
    fsync: false,
    authentication: {identities: await loadIdentities(undefined, '123456789012'), region: 'us-east-1', hostNames: []},
    log: () => {},
  })
  const ports: Record<string, number> = {}
  for (const [index, {host, tls}] of nodes.entries()) {
    const listener: Listener = {security, nodeId: broker.nodeIds[index]!, host, port: 0, ...(tls && {tls})}
    const serving = await serve(broker, listener)
    onTestFinished(() => serving.close())
    broker.listeners.push(listener)
    ports[host] = listener.port
  }
  onTestFinished(() => broker.close())
  return {ports, broker}
}

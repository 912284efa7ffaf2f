import {randomUUID} from 'node:crypto'
import type {ClusterRecord, ClusterStore, NewCluster} from '../../src/lib/local/aws/msk.js'

export const REGION = 'us-east-1'
export const ACCOUNT = '123456789012'

/** Clusters without brokers: ACTIVE, or gone, when `settle` is called. */
export function memoryClusters(): ClusterStore & {settle(): void} {
  const records = new Map<string, ClusterRecord>()
  return {
    list: () => [...records.values()],
    async create(cluster: NewCluster) {
      const uuid = `${randomUUID()}-s1`
      const arn = `arn:aws:kafka:${REGION}:${ACCOUNT}:cluster/${cluster.name}/${uuid}`
      const creationTime = new Date().toISOString()
      const record: ClusterRecord = {
        ...cluster,
        arn,
        uuid,
        state: 'CREATING',
        creationTime,
        currentVersion: 'K1',
        bootstrap: undefined,
      }
      records.set(arn, record)
      return record
    },
    async delete(arn) {
      records.get(arn)!.state = 'DELETING'
    },
    async setTags(arn, tags) {
      records.get(arn)!.tags = tags
    },
    settle() {
      for (const record of records.values()) {
        if (record.state === 'DELETING') records.delete(record.arn)
        else Object.assign(record, {state: 'ACTIVE', bootstrap: '127.0.0.1:9098'})
      }
    },
  }
}

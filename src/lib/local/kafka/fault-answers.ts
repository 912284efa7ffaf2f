import {setTimeout as delay} from 'node:timers/promises'

import type {Api, Call} from './api/api.js'
import {isNamed} from './faults.js'
import type {
  CreatePartitionsRequest,
  CreateTopicsRequest,
  DeleteTopicsRequest,
  DescribeConfigsRequest,
  FetchRequest,
  FetchResponse,
  FindCoordinatorRequest,
  IncrementalAlterConfigsRequest,
  ListOffsetsRequest,
  MetadataRequest,
  OffsetCommitRequest,
  OffsetFetchRequest,
  ProduceRequest,
  ProduceResponse,
} from './messages.js'
import type {RequestName} from './request-names.js'
import {ProtocolError} from './wire.js'

/** The API's answer to the request, or what a fault makes of it. */
export async function answerWithFaults(api: Api, request: object, call: Call): Promise<object | null> {
  const fault = call.broker.faults.next(api.key, request, call)
  const handle = async (): Promise<object | null> => api.handle(request, call)
  if (!fault) return handle()
  const {action, when, ms = 0, errorCode = 0} = fault
  const done = when === 'after' || action === 'throttle' ? await handle() : null
  if (action === 'drop') return new Promise(() => {})
  if (action === 'close') throw new ProtocolError(`fault ${fault.id}`)
  if (action === 'throttle') return done && {...done, throttleTimeMs: ms}
  if (action === 'error') return refuse(api, request, {errorCode, isHit: (name) => isNamed(fault, name), when}, call)
  // A request that was read is carried out, even when its client is gone by then.
  await delay(ms, undefined, {ref: false})
  return when === 'after' ? done : handle()
}

type Answer = (request: any, errorCode: number, call: Call) => object

/** The answer of each API in which everything that was asked for has failed. */
const ANSWERS: Readonly<Record<number, Answer>> = {
  0: ({topicData}: ProduceRequest, errorCode) => ({
    responses: topicData.map(({name, partitionData}) => ({
      name,
      partitionResponses: partitionData.map(({index}) => ({index, errorCode, baseOffset: -1})),
    })),
  }),
  1: ({topics}: FetchRequest, errorCode) => ({
    sessionId: 0,
    responses: topics.map(({topic, topicId, partitions}) => ({
      topic,
      topicId,
      partitions: partitions.map(({partition}) => ({
        partitionIndex: partition,
        errorCode,
        highWatermark: -1,
        records: NO_RECORDS,
      })),
    })),
  }),
  2: ({topics}: ListOffsetsRequest, errorCode) => ({
    topics: topics.map(({name, partitions}) => ({
      name,
      partitions: partitions.map(({partitionIndex}) => ({partitionIndex, errorCode, offset: -1, timestamp: -1})),
    })),
  }),
  3: ({topics}: MetadataRequest, errorCode, {broker, connection}) => ({
    brokers: broker.endpointsFor(connection),
    clusterId: broker.clusterId,
    controllerId: broker.nodeIds[0]!,
    topics: (topics ?? []).map(({name, topicId}) => ({errorCode, name, topicId, partitions: []})),
  }),
  8: ({topics}: OffsetCommitRequest, errorCode) => ({
    topics: topics.map(({name, partitions}) => ({
      name,
      partitions: partitions.map(({partitionIndex}) => ({partitionIndex, errorCode})),
    })),
  }),
  9: ({groups}: OffsetFetchRequest, errorCode) => ({
    errorCode,
    topics: [],
    groups: groups.map(({groupId}) => ({groupId, errorCode, topics: []})),
  }),
  10: ({coordinatorKeys}: FindCoordinatorRequest, errorCode) => {
    const nobody = {nodeId: -1, host: '', port: -1, errorCode, errorMessage: null}
    return {...nobody, coordinators: coordinatorKeys.map((key) => ({key, ...nobody}))}
  },
  11: (_, errorCode) => ({errorCode, leader: '', memberId: '', members: []}),
  12: (_, errorCode) => ({errorCode}),
  13: (_, errorCode) => ({errorCode}),
  14: (_, errorCode) => ({errorCode, assignment: Buffer.alloc(0)}),
  19: ({topics}: CreateTopicsRequest, errorCode) => ({topics: topics.map(({name}) => ({name, errorCode}))}),
  20: ({topics, topicNames}: DeleteTopicsRequest, errorCode) => ({
    responses: [
      ...topics.map(({name, topicId}) => ({name, topicId, errorCode})),
      ...topicNames.map((name) => ({name, errorCode})),
    ],
  }),
  22: (_, errorCode) => ({errorCode, producerId: -1, producerEpoch: -1}),
  32: ({resources}: DescribeConfigsRequest, errorCode) => ({
    results: resources.map(({resourceType, resourceName}) => ({resourceType, resourceName, errorCode, configs: []})),
  }),
  37: ({topics}: CreatePartitionsRequest, errorCode) => ({results: topics.map(({name}) => ({name, errorCode}))}),
  44: ({resources}: IncrementalAlterConfigsRequest, errorCode) => ({
    responses: resources.map(({resourceType, resourceName}) => ({resourceType, resourceName, errorCode})),
  }),
}

const NO_RECORDS = Buffer.alloc(0)

export const canRefuse = (api: number): boolean => api in ANSWERS

type Refusal = {errorCode: number; when: 'before' | 'after'; isHit(name: RequestName): boolean}

/** An answer with `errorCode`: of a Produce or Fetch in the partitions that are hit, while the others get their own; of the rest, whole. */
async function refuse(api: Api, request: object, refusal: Refusal, call: Call): Promise<object | null> {
  const answer = ANSWERS[api.key]!
  if (api.key === 0) return refuseProduce(api, request as ProduceRequest, refusal, answer, call)
  if (api.key === 1) return refuseFetch(api, request as FetchRequest, refusal, answer, call)
  return answer(request, refusal.errorCode, call)
}

async function refuseProduce(
  api: Api,
  request: ProduceRequest,
  {errorCode, when, isHit}: Refusal,
  answer: Answer,
  call: Call,
): Promise<object | null> {
  const [hit, others] = [true, false].map((wanted) =>
    request.topicData
      .map(({name, partitionData}) => ({
        name,
        partitionData: partitionData.filter(({index}) => isHit({topic: name, partition: index}) === wanted),
      }))
      .filter(({partitionData}) => partitionData.length > 0),
  ) as [ProduceRequest['topicData'], ProduceRequest['topicData']]
  const refused = answer({topicData: hit}, errorCode, call) as ProduceResponse
  if (when === 'after' || others.length === 0) return request.acks === 0 ? null : refused
  const done = (await api.handle({...request, topicData: others}, call)) as ProduceResponse | null
  return done && {...done, responses: [...done.responses, ...refused.responses]}
}

async function refuseFetch(
  api: Api,
  request: FetchRequest,
  {errorCode, isHit}: Refusal,
  answer: Answer,
  call: Call,
): Promise<object> {
  const nameOf = ({topic, topicId}: FetchRequest['topics'][number]) => topic || call.broker.topicById(topicId)?.name
  const [hit, others] = [true, false].map((wanted) =>
    request.topics
      .map((asked) => ({
        ...asked,
        partitions: asked.partitions.filter(({partition}) => isHit({topic: nameOf(asked), partition}) === wanted),
      }))
      .filter(({partitions}) => partitions.length > 0),
  ) as [FetchRequest['topics'], FetchRequest['topics']]
  const refused = answer({topics: hit}, errorCode, call) as FetchResponse
  if (others.length === 0) return refused
  const done = (await api.handle({...request, topics: others, maxWaitMs: 0}, call)) as FetchResponse
  return {...done, responses: [...done.responses, ...refused.responses]}
}

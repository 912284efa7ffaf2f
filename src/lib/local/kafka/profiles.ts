/**
 * Which versions a cluster advertises, by API key.
 *
 * - `msk-serverless`: the maxima that MSK Serverless showed in June 2022 (akhq#1113, topicctl#69), which are those of Kafka 2.8.1;
 *   minima as low as we serve, because the published ones break kafkajs 2.2.4 and librdkafka 2.0.2.
 * - `msk-2022`: the published minima too; a request below them closes the connection, as kafka-go#967 saw.
 * - `wide`: all that is implemented, without the rules of Serverless.
 *
 * Produce is advertised from 0 although old message formats are refused: librdkafka drops its codecs otherwise (KAFKA-18659).
 */
export type ApiProfile = 'msk-serverless' | 'msk-2022' | 'wide'

type Range = readonly [min: number, max: number]
type Ranges = Readonly<Record<number, Range>>

const mskServerless: Ranges = {
  0: [0, 9],
  1: [4, 12],
  2: [0, 6],
  3: [0, 11],
  8: [0, 8],
  9: [0, 7],
  10: [0, 3],
  11: [0, 7],
  12: [0, 4],
  13: [0, 4],
  14: [0, 5],
  15: [0, 5],
  16: [0, 4],
  17: [0, 1],
  18: [0, 3],
  19: [0, 7],
  20: [0, 6],
  22: [0, 4],
  23: [0, 4],
  32: [0, 4],
  33: [0, 2],
  36: [0, 2],
  37: [0, 3],
  42: [0, 2],
  44: [0, 1],
  46: [0, 0],
  47: [0, 0],
  48: [0, 1],
  60: [0, 0],
}

const msk2022: Ranges = {
  ...mskServerless,
  0: [7, 9],
  1: [10, 12],
  2: [5, 6],
  3: [7, 11],
  8: [6, 8],
  9: [5, 7],
  10: [2, 3],
  11: [4, 7],
  12: [2, 4],
  13: [2, 4],
  14: [2, 5],
  15: [2, 5],
  16: [2, 4],
  17: [1, 1],
  18: [2, 3],
  19: [3, 7],
  20: [3, 6],
  22: [1, 4],
  23: [2, 4],
}

const wide: Ranges = {
  ...mskServerless,
  0: [0, 11],
  1: [4, 17],
  2: [0, 9],
  3: [0, 12],
  8: [0, 9],
  9: [0, 9],
  10: [0, 6],
  11: [0, 9],
  13: [0, 5],
  16: [0, 5],
  18: [0, 4],
  21: [0, 2],
  60: [0, 1],
}

const profiles: Record<ApiProfile, Ranges> = {'msk-serverless': mskServerless, 'msk-2022': msk2022, wide}

/** The versions of an API that a cluster of that profile serves, or undefined where it has no such API. */
export const servedVersions = (profile: ApiProfile, key: number): Range | undefined => profiles[profile][key]

/** What ApiVersions answers. */
export const advertised = (profile: ApiProfile): {apiKey: number; minVersion: number; maxVersion: number}[] =>
  Object.entries(profiles[profile]).map(([key, [minVersion, maxVersion]]) => ({apiKey: Number(key), minVersion, maxVersion}))

/** Whether topic configs, replication factor and quotas follow MSK Serverless. */
export const isServerless = (profile: ApiProfile): boolean => profile !== 'wide'

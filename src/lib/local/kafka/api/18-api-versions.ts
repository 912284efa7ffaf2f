import type {ApiVersionsRequest, ApiVersionsResponse} from '../messages.js'
import {advertised} from '../profiles.js'
import type {Api} from './api.js'
import {ERROR} from './error-codes.js'

/**
 * ApiVersions v0-4: what this cluster serves. A version that it does not know is answered in server.ts, as v0.
 *
 * - v1: throttle time
 * - v3: flexible body, but never a flexible header (KIP-511)
 */
export const apiVersions: Api<ApiVersionsRequest, ApiVersionsResponse> = {
  key: 18,
  versions: [0, 4],
  handle: (_request, {broker}) => ({errorCode: ERROR.none, apiKeys: advertised(broker.profile)}),
}

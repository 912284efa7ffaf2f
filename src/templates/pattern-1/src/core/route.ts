import {HttpError, type HttpEvent} from './http.ts'

/** What is asked for. `cluster` is there in version 3 only. */
export type Route = {kind: 'v2' | 'v3' | 'v3-batch'; topic: string; cluster: string | undefined}

const V2 = /^\/topics\/([^/]+)$/
const V3 = /^\/v3\/clusters\/([^/]+)\/topics\/([^/]+)\/records(:batch)?$/

/**
 * Where a request leads. Throws HttpError: 404 for a path or a cluster that there is not, and for a topic that is not allowed,
 * which is never asked for at a broker; 405.
 */
export function routeOf({rawPath, requestContext}: HttpEvent, served: {topics: readonly string[]; cluster: string}): Route {
  const route = match(rawPath)
  if (!route) throw new HttpError(404, 'there is nothing at this path')
  if (requestContext.http.method !== 'POST') throw new HttpError(405, 'only POST is allowed here')
  if (route.cluster !== undefined && route.cluster !== served.cluster) throw new HttpError(404, 'there is no such cluster', 40403)
  if (!served.topics.includes(route.topic)) throw new HttpError(404, 'there is no such topic', 40401)
  return route
}

function match(path: string): Route | undefined {
  const [, topic] = V2.exec(path) ?? []
  if (topic !== undefined) return {kind: 'v2', topic: decoded(topic), cluster: undefined}
  const [, cluster, ofCluster, batch] = V3.exec(path) ?? []
  if (cluster === undefined || ofCluster === undefined) return undefined
  return {kind: batch ? 'v3-batch' : 'v3', topic: decoded(ofCluster), cluster: decoded(cluster)}
}

/** What cannot be decoded is no name of anything. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

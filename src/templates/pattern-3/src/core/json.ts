/** Whether the bytes are a JSON text in UTF-8. */
export const isJson = (bytes: Buffer): boolean => parsedJson(bytes) !== undefined

/** What the bytes say as JSON; undefined when they are none. */
export function parsedJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes))
  } catch {
    return undefined
  }
}

/** Statements of IAM, and the documents that hold them. */
export type Statement = {Sid: string; Effect: string; Action: string | string[]; Resource: string}

export const document = (Statement: unknown[]) => ({Version: '2012-10-17', Statement})

export const allow = (Sid: string, Action: string | string[], Resource: string): Statement => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource,
})

/** An answer of the AWS API that is an error: `type` is the exception's name, `members` what else its body holds, `headers` what else its head. */
export class AwsError extends Error {
  override readonly name = 'AwsError'
  readonly status: number
  readonly type: string
  readonly members: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    type: string,
    message: string,
    members: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.status = status
    this.type = type
    this.members = members
    this.headers = headers
  }
}

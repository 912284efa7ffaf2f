/** Each pattern's first group stays and tells what was there; the secret after it goes. */
const secrets: readonly RegExp[] = [
  /(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"']+/gi,
  /("?authorization"?\s*[:=]\s*"?)[^"\n]+/gi,
  /("?(?:aws_?)?(?:secret_?access_?key|session_?token|x-amz-security-token)"?\s*[:=]\s*"?)[^"\s,}]+/gi,
  /("?(?:password|token|access_?token|auth(?:_bytes)?)"?\s*[:=]\s*")[^"]+/gi,
  /(\b(?:AKIA|ASIA|AROA|AIDA))[A-Z0-9]{12,}/g,
  /(\bBearer\s+)[\w.~+/=-]+/gi,
  // An MSK token is a presigned URL in base64url; "aHR0cHM6Ly9" is "https://" there.
  /(\baHR0cHM6Ly)[\w=-]{40,}/g,
]

/** The text without anything that would let its reader act as its writer; for every line of `--debug`. */
export const redact = (text: string): string => secrets.reduce((clean, secret) => clean.replace(secret, '$1…'), text)

/** The first of these environment variables that is not empty. */
function firstSet(...names: readonly string[]): string | undefined {
  return names.map((name) => process.env[name]).find((value) => value !== undefined && value !== '')
}

/** The profile that the environment names, in the order of version 2 of the AWS CLI. The SDK knows the first variable alone. */
export function environmentProfile(): string | undefined {
  return firstSet('AWS_PROFILE', 'AWS_DEFAULT_PROFILE')
}

/** The region that the environment names, in the order of version 2 of the AWS CLI. The SDK knows the first variable alone, and takes it though it is empty. */
export function environmentRegion(): string | undefined {
  return firstSet('AWS_REGION', 'AWS_DEFAULT_REGION')
}

import type { Connection } from '../../job/connection.js'
import { environmentProfile } from '../../storage/aws-environment.js'

/** The profile of the environment, which a resume must know: it is part of how the store is reached. Keys in the environment come before it, as in the AWS CLI. */
export function ambient(): Connection {
  const { AWS_ACCESS_KEY_ID: key = '' } = process.env
  const profile = environmentProfile()
  return profile === undefined || key !== '' ? {} : { profile }
}

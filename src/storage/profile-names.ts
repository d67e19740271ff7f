import { loadSharedConfigFiles } from '@smithy/core/config'

/** The profiles that the config and credentials files of AWS have, in the order of their names; none where they cannot be read. */
export async function profileNames(): Promise<string[]> {
  try {
    const { configFile, credentialsFile } = await loadSharedConfigFiles()
    const names = new Set([...Object.keys(configFile), ...Object.keys(credentialsFile)])
    return [...names].filter((name) => !/^(?:sso-session|services)\./.test(name)).sort()
  } catch {
    return []
  }
}

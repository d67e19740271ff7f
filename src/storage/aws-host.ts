/** Whether a server is AWS's. */
export function isAwsHost(host = ''): boolean {
  return /\.amazonaws\.com(?:\.cn)?(?::\d+)?$/.test(host)
}

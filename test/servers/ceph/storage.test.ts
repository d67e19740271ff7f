import { s3Stores, storageContract } from '../../support/storage-contract.js'

const endpoint = process.env.S3MOVE_TEST_ENDPOINT
if (endpoint === undefined) throw new Error('S3MOVE_TEST_ENDPOINT must name a Ceph gateway: .ci/run starts one')
const keys = { accessKeyId: 'test', secretAccessKey: 'testtest' }

storageContract('S3Store on Ceph', () => {
  process.env.AWS_ACCESS_KEY_ID = keys.accessKeyId
  process.env.AWS_SECRET_ACCESS_KEY = keys.secretAccessKey
  return s3Stores({ endpoint, ...keys, storageClasses: false })
})

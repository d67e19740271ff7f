import { describe, expect, test } from 'vitest'
import { readShard } from '../../../../src/commands/options/shard-options.js'
import { UserError } from '../../../../src/errors.js'

function said(shard: string, env: Readonly<Record<string, string>> = {}): string {
  try {
    const found = readShard({ shard }, env)
    return `${found?.number} of ${found?.of}`
  } catch (error) {
    if (error instanceof UserError) return `${error.message}; ${error.hint}`
    throw error
  }
}

describe('--shard', () => {
  test('counts from 1', () => {
    expect([said('1/1'), said('1/8'), said('8/8'), said('1000/1000')]).toEqual([
      '1 of 1',
      '1 of 8',
      '8 of 8',
      '1000 of 1000',
    ])
    expect(readShard({}, {})).toBeUndefined()
  })

  test.each(['0/8', '9/8'])('%s is refused, with what there is', (given) => {
    expect(said(given)).toMatch(/shards count from 1, so of 8 the last is 8\/8.*--shard auto\/8 takes the index/)
  })

  test.each(['3', '3/', '/8', 'x/8', '-1/8', '1/0', '1.5/8', '1/1001', 'auto', 'auto/x', '1/8/9', ' 1/8'])(
    '%j is not understood',
    (given) => {
      expect(said(given)).toMatch(/--shard wants K\/N.*write something like --shard 3\/8/)
    },
  )
})

describe('--shard auto', () => {
  test.each(['JOB_COMPLETION_INDEX', 'AWS_BATCH_JOB_ARRAY_INDEX', 'SLURM_ARRAY_TASK_ID', 'SLURM_PROCID'])(
    'takes the index of %s, which counts from 0',
    (name) => {
      expect([said('auto/8', { [name]: '0' }), said('auto/8', { [name]: '7' })]).toEqual(['1 of 8', '8 of 8'])
      expect(said('auto/8', { [name]: '8' })).toMatch(/is 8, and of 8 shards the last has the index 7/)
      expect(said('auto/8', { [name]: '-1' })).toMatch(/is -1, and/)
      expect(said('auto/8', { [name]: '1 ' })).toMatch(/is 1 , and/)
    },
  )

  test('is refused where nothing says which process this is', () => {
    expect(said('auto/8')).toMatch(/none of JOB_COMPLETION_INDEX, .*SLURM_PROCID is set; write --shard K\/8/)
    expect(said('auto/8', { JOB_COMPLETION_INDEX: '' })).toMatch(/none of/)
  })

  test('is refused where two say different things, and not where they agree', () => {
    expect(said('auto/8', { JOB_COMPLETION_INDEX: '2', AWS_BATCH_JOB_ARRAY_INDEX: '3' })).toMatch(
      /JOB_COMPLETION_INDEX is 2, and AWS_BATCH_JOB_ARRAY_INDEX is 3/,
    )
    expect(said('auto/8', { JOB_COMPLETION_INDEX: '2', AWS_BATCH_JOB_ARRAY_INDEX: '2' })).toBe('3 of 8')
  })

  test('goes by the task of a Slurm array, of which each is process 0 of itself, unless that starts several', () => {
    const task = { SLURM_ARRAY_TASK_ID: '5', SLURM_PROCID: '0' }
    expect(said('auto/8', task)).toBe('6 of 8')
    expect(said('auto/8', { ...task, SLURM_STEP_NUM_TASKS: '1' })).toBe('6 of 8')
    expect(said('auto/8', { ...task, SLURM_STEP_NUM_TASKS: '4' })).toMatch(
      /SLURM_ARRAY_TASK_ID is 5, and SLURM_PROCID is 0/,
    )
    expect(said('auto/8', { ...task, SLURM_PROCID: '1' })).toMatch(/SLURM_ARRAY_TASK_ID is 5, and SLURM_PROCID is 1/)
  })

  test('is refused where there are more or fewer processes than shards', () => {
    const batch = { AWS_BATCH_JOB_ARRAY_INDEX: '1' }
    expect(said('auto/8', { ...batch, AWS_BATCH_JOB_ARRAY_SIZE: '8' })).toBe('2 of 8')
    expect(said('auto/8', { ...batch, AWS_BATCH_JOB_ARRAY_SIZE: '4' })).toMatch(/AWS_BATCH_JOB_ARRAY_SIZE is 4/)
    expect(said('auto/8', { SLURM_PROCID: '1', SLURM_STEP_NUM_TASKS: '16' })).toMatch(/SLURM_STEP_NUM_TASKS is 16/)
  })
})

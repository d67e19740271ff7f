import { UserError } from '../errors.js'
import type { Command } from './options/command.js'
import { ALWAYS } from './options/exit.js'
import { pricesFlag } from './options/pace-options.js'
import { planFlags } from './options/plan-options.js'
import { PLANNED } from './options/planned-command.js'

export const command: Command = {
  usage: 'plan [command]',
  group: 'looking',
  summary: 'what a command would do, lose, cost; and for how long',
  help: `$0 plan COMMAND [WORD..]\n\nTakes the words of a command that changes objects (copy, sync, move, delete, set-…), lists, decides about each object as that would, and says what becomes of how many objects by storage class and size, what their copies would lose, the requests, the money and the time. Nothing is changed.`,
  options: [
    (argv) =>
      argv.positional('command', {
        type: 'string',
        describe: 'the command, and all that stands behind it: s3move COMMAND -h',
        placeholder: 'COMMAND',
        values: PLANNED,
      }),
    planFlags,
    pricesFlag,
  ],
  examples: [
    ['$0 plan copy s3://photos s3://photos-eu', 'before a whole bucket is copied'],
    ['$0 plan sync s3://a s3://b --delete --to plan.html', 'as a page to show others'],
    ['$0 plan move s3://a s3://b --prices index.json', 'with prices of your own Region and day'],
  ],
  exits: {
    ...ALWAYS,
    4: 'the listing ended early, by something that affects every object',
    130: 'interrupted; told is a part',
  },
  // A command that is named has taken the place of this one before it came here.
  run() {
    return Promise.reject(
      new UserError('plan needs a command', `write s3move plan and one of ${PLANNED.join(', ')}, with its own words`),
    )
  },
}

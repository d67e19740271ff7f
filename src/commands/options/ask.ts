import { unless, type CommandIo } from './io.js'

/** Whether there is a person at a terminal to ask. */
export function canAsk({ stdin, stderr }: Pick<CommandIo, 'stdin' | 'stderr'>): boolean {
  return stdin.isTTY === true && stderr.isTTY === true
}

/** Asks a person at the terminal and answers what was typed, without blanks around it; '' when the terminal was closed. A stop rejects with `Interrupted`. */
export async function ask(text: string, { stdin, stderr, stop }: CommandIo): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const question = createInterface({ input: stdin, output: stderr, terminal: false })
  try {
    const ended = new Promise<string>((resolve) => {
      question.once('close', () => resolve(''))
      // A terminal that was closed cannot be read from.
      question.once('error', () => resolve(''))
    })
    return (await unless(stop, Promise.race([question.question(text), ended]))).trim()
  } finally {
    question.close()
  }
}

// Commands come in on stdin, answers go out on stdout: one JSON value a line, in order.
import { createInterface } from 'node:readline'

/** Call `commands[command](arguments)` for each line; what it throws is the answer's `error`. */
export async function obey(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, arguments: given } = JSON.parse(line)
    let answer
    try {
      answer = { result: (await commands[command](given)) ?? null }
    } catch (error) {
      console.error(error)
      answer = { error: words(error) }
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`)
  }
}

/** All that a library says about an error, its causes included. */
function words(error) {
  const told = error.errorResponse ? ` ${JSON.stringify(error.errorResponse)}` : ''
  const cause = error.cause instanceof Error ? `: ${words(error.cause)}` : ''
  return `${error.name}: ${error.message}${told}${cause}`
}

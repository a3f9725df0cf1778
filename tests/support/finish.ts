/** What a generator comes to that stops now and then. */
export function finish<T> (steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

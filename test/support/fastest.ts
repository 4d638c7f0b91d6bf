/** The shortest of a few runs, in ms: what the code needs when the machine is not busy with something else. */
export function fastestMs(run: () => void, runs = 5): number {
  let fastest = Infinity
  for (let count = 0; count < runs; count++) {
    const startMs = performance.now()
    run()
    fastest = Math.min(fastest, performance.now() - startMs)
  }
  return fastest
}

/** The nearest right name, for messages. */

/** "; did you mean beta2?", or "." where no known name is near. */
export function nearest(name: string, known: Iterable<string>): string {
  const names = [...known];
  const initials = names.find((each) => each.split("_").map((part) => part[0]).join("") === name);
  const part = names.find((each) => each.split("_").includes(name)); // rate: learning_rate
  const close = names
    .map((each) => ({ each, distance: distance(name.toLowerCase(), each.toLowerCase()) }))
    .filter(({ each, distance }) => distance <= Math.max(name.length, each.length) / 2 - 0.5)
    .sort((a, b) => a.distance - b.distance)[0]?.each;
  const found = (name.length > 1 ? (initials ?? part) : undefined) ?? close;
  return found === undefined ? "." : `; did you mean ${found}?`;
}

/** How many letters have to be put in, left out, changed, or exchanged with the next. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, k) => k);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const change = from[i - 1] === to[j - 1] ? 0 : 1;
      let least = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + change);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [before, above] = [above, row];
  }
  return above[to.length] ?? 0;
}

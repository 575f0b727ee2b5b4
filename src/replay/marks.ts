/**
 * Marks below two lines of text: where they are not the same.
 *
 * @module
 */

/** For each of the two lines one that has `^` below its words that the other does not have; empty where there are none. */
export function marksOf(first: string, second: string): [string, string] {
  const [a, b] = [words(first), words(second)];
  // Longest common subsequences of what is left from each pair of places on.
  const longest = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i][j] = a[i] === b[j] ? 1 + longest[i + 1][j + 1] : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const [below, belowSecond] = [new Set<number>(), new Set<number>()];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
    } else if (j === b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) below.add(i++);
    else belowSecond.add(j++);
  }
  return [marked(a, below), marked(b, belowSecond)];
}

/** The line's words and what stands between them, which put together are the line. */
function words(line: string): string[] {
  return line.split(/([\s,]+|: )/).filter((word) => word !== "");
}

function marked(line: readonly string[], differing: ReadonlySet<number>): string {
  return line.map((word, k) => (differing.has(k) && /\S/.test(word) ? "^" : " ").repeat(word.length)).join("")
    .trimEnd();
}
